/** Resource usage of a process (Linux, /proc). */

/** Microseconds in one tick of /proc/PID/stat (USER_HZ is 100 on every Linux that Deno runs on). */
const TICK_MICROSECONDS = 10_000;

/** User and system time of a process so far, in microseconds. */
export function cpuMicroseconds(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name, in parentheses, may hold anything: fields are counted from its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS;
}

/** Resident memory of a process, in KiB. */
export function residentKibibytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const [, text] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  if (text === undefined) throw new Error(`/proc/${pid}/status names no VmRSS`);
  return Number(text);
}
