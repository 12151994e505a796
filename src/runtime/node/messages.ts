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
  const body = bodyOf(message);
  return new Request(url, { method, headers, body, duplex: "half" } as RequestInit);
}

/** The body of a message. Unlike with `Readable.toWeb`, many small chunks are read as one. */
function bodyOf(message: IncomingMessage): ReadableStream<Uint8Array<ArrayBuffer>> {
  let wake: () => void = () => {};
  let error: Error | undefined;
  for (const event of ["readable", "end", "close"]) message.on(event, () => wake());
  message.on("error", (cause: Error) => {
    error = cause;
    wake();
  });
  return new ReadableStream({
    pull: async (controller) => {
      for (;;) {
        const bytes = message.read() as Uint8Array | null;
        if (bytes !== null) return controller.enqueue(new Uint8Array(bytes));
        if (message.readableEnded) return controller.close();
        if (message.destroyed) throw error ?? new Error("The body of the request is incomplete");
        await new Promise<void>((resolve) => wake = resolve);
      }
    },
    cancel: () => {
      wake();
      message.resume(); // what still arrives is discarded
    },
  }, { highWaterMark: 0 });
}

/**
 * Returns why a request must not be handled, though Node has parsed it: other servers, or a web
 * `Request`, would not accept it.
 */
export function refusalOf(
  { method = "", httpVersion, headers }: IncomingMessage,
): readonly [status: number, reason: string] | undefined {
  if (method === "TRACE") return [501, "unsupported method"];
  if (httpVersion !== "1.1" && httpVersion !== "1.0") {
    return [505, "only HTTP/1.0 and HTTP/1.1 are supported"];
  }
  return httpVersion === "1.0" && headers["transfer-encoding"] !== undefined
    ? [400, "ambiguous length of the body"]
    : undefined;
}

/** True if another protocol can take over the connection after the head of the request. */
export function canBeTaken({ method, httpVersion, headers }: IncomingMessage): boolean {
  const length = headers["content-length"];
  const hasBody = headers["transfer-encoding"] !== undefined || Number(length ?? 0) !== 0;
  return method === "GET" && httpVersion === "1.1" && !hasBody;
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
  const { status } = response;
  if (message.req.method === "HEAD" || status === 204 || status === 304) {
    message.end();
    return await cancel(reader);
  }
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

async function cancel(reader: ReadableStreamDefaultReader | undefined): Promise<void> {
  try {
    await reader?.cancel();
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
