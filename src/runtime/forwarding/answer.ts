import { STATUS_CODES } from "node:http";
import { encodeHead } from "./head.ts";
import type { Input } from "./input.ts";
import type { Stream } from "./stream.ts";

/** Returns the status line of an answer. */
export function statusLine(status: number, reason?: string): string {
  return `HTTP/1.1 ${status} ${reason ?? STATUS_CODES[status] ?? "Refused"}`;
}

/**
 * Answers with a short text, and ends our side of the connection. Reads what the client still sends
 * until it ends, since otherwise the system might discard the answer. The caller limits the time.
 */
export async function answerAndEnd(
  stream: Stream,
  input: Input,
  status: number,
  text: string,
): Promise<void> {
  const body = new TextEncoder().encode(text);
  const head = encodeHead(statusLine(status), [
    ...["Content-Type", "text/plain; charset=UTF-8", "Content-Length", String(body.length)],
    ...["Cache-Control", "no-store", "Connection", "close"],
  ]);
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  try {
    await stream.write(bytes);
    await stream.end();
    do input.skip(input.bytes.length); while (await input.more());
  } catch {
    // The client has left.
  }
}
