import { serve, type ServeOptions } from "../../../src/runtime/serve.ts";
import type { RunningServer, ServeHandler } from "../../../src/runtime/serving.ts";
import { within } from "../../transport/support.ts";

const ENCODER = new TextEncoder();

/** Starts a server on a free port. */
export function start(
  handler: ServeHandler,
  options: Partial<ServeOptions> = {},
): Promise<RunningServer> {
  const onError = (error: unknown) => {
    throw error;
  };
  return serve(handler, { hostname: "127.0.0.1", port: 0, onError, ...options });
}

/** Sends `text` and reads until the server ends the connection. */
export async function exchange(port: number, text: string, endsWriting = false): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(ENCODER.encode(text));
  if (endsWriting) await connection.closeWrite();
  return await within(readAll(connection), "the end of the connection");
}

/** Reads until the server ends the connection. */
export async function readAll(connection: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(16_384);
  let text = "";
  for (;;) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) return text;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}
