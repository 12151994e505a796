import type { IncomingMessage, ServerResponse } from "node:http";
import { builtinModule } from "../platform.ts";
import { requestUrl } from "../request_url.ts";

/** Creates the web `Request` of a message; `undefined` if its target cannot be used. */
export function requestOf(
  message: IncomingMessage,
  isSecure: boolean,
  hasBody: boolean,
): Request | undefined {
  const headers = new Headers();
  const { rawHeaders, method = "GET" } = message;
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  const url = requestUrl(message.url ?? "/", message.headers.host, isSecure);
  if (url === undefined) return undefined;
  if (!hasBody || method === "GET" || method === "HEAD") {
    return new Request(url, { method, headers });
  }
  const { Readable } = builtinModule("node:stream");
  const body = Readable.toWeb(message) as ReadableStream<Uint8Array<ArrayBuffer>>;
  return new Request(url, { method, headers, body, duplex: "half" } as RequestInit);
}

/**
 * Writes a web `Response`. A peer that reads slowly makes the body wait; when it leaves, the body is
 * cancelled.
 */
export async function writeResponse(response: Response, message: ServerResponse): Promise<void> {
  const headers: string[] = [];
  for (const [name, value] of response.headers) headers.push(name, value);
  message.writeHead(response.status, response.statusText, headers);
  const reader = response.body?.getReader();
  if (reader === undefined) return void message.end();
  if (message.destroyed) return await cancel(reader);
  const onClose = (): void => {
    if (!message.writableFinished) void cancel(reader);
  };
  message.once("close", onClose);
  // A head whose body is there at once leaves with it; otherwise it does not wait for the body.
  let hasData = false;
  const { setImmediate } = builtinModule("node:timers");
  setImmediate(() => hasData || message.destroyed || message.flushHeaders());
  try {
    for (;;) {
      const { done, value } = await reader.read();
      hasData = true;
      if (message.destroyed) return;
      if (done) return void message.end();
      if (!message.write(value)) await drained(message);
    }
  } catch {
    message.destroy(); // the body failed: a complete answer would be wrong
  } finally {
    message.off("close", onClose);
  }
}

async function cancel(reader: ReadableStreamDefaultReader): Promise<void> {
  try {
    await reader.cancel();
  } catch {
    // The body failed; nobody waits for it any more.
  }
}

function drained(message: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      message.off("drain", done);
      message.off("close", done);
      resolve();
    };
    message.on("drain", done);
    message.on("close", done);
    if (message.destroyed) done();
  });
}
