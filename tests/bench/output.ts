/** Writes one line to stdout, whole, at once. */
export function printLine(line: string): void {
  write(Deno.stdout, line);
}

/** Writes one line to stderr: progress, which is no result. */
export function reportLine(line: string): void {
  write(Deno.stderr, line);
}

function write(target: { writeSync(bytes: Uint8Array): number }, line: string): void {
  const bytes = new TextEncoder().encode(line + "\n");
  for (let done = 0; done < bytes.length;) done += target.writeSync(bytes.subarray(done));
}
