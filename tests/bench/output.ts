/** Writes one whole line to stdout. */
export function printLine(line: string): void {
  write(Deno.stdout, line);
}

/** Writes a line about the progress to stderr. */
export function reportLine(line: string): void {
  write(Deno.stderr, line);
}

function write(target: { writeSync(bytes: Uint8Array): number }, line: string): void {
  const bytes = new TextEncoder().encode(line + "\n");
  for (let done = 0; done < bytes.length;) done += target.writeSync(bytes.subarray(done));
}
