import { builtinModule, denoNamespace } from "./platform.ts";

/** A stream of the process. */
export type StandardStream = "stdin" | "stdout" | "stderr";

const DESCRIPTORS = Object.freeze({ stdin: 0, stdout: 1, stderr: 2 });

interface StreamScope {
  readonly process?: Partial<Record<StandardStream, { readonly isTTY?: boolean }>>;
}

/** True if the stream is a terminal. */
export function isTerminal(stream: StandardStream): boolean {
  const deno = denoNamespace();
  if (deno !== undefined) return deno[stream].isTerminal();
  return (globalThis as StreamScope).process?.[stream]?.isTTY === true;
}

/**
 * Writes text to standard output or standard error before it returns, unchanged.
 *
 * @returns false if nobody reads the stream anymore
 */
export function writeStream(stream: "stdout" | "stderr", text: string): boolean {
  const fs = builtinModule("node:fs");
  if (fs === undefined) return false;
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(DESCRIPTORS[stream], rest));
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === "EPIPE") return false;
      if (code !== "EAGAIN") throw error;
    }
  }
  return true;
}
