import { Timer } from "../../../runtime/timer.ts";

/** The result of reading a body: its text, or the HTTP status that refuses it. */
export type Body = { readonly text: string } | { readonly status: 400 | 408 | 413 | 503 };

/** How a body is read. */
export interface BodyOptions {
  /** Bytes beyond which the body is refused with status 413. */
  readonly limit: number;
  /** Milliseconds in which the whole body must have arrived; status 408 after that. */
  readonly timeout: number;
  /**
   * Counts bytes that have arrived; when it returns false, the body is refused with status 503.
   * @default they are not counted
   */
  readonly take?: (bytes: number) => boolean;
}

/** Reads a request's body as UTF-8. */
export async function readBody(request: Request, options: BodyOptions): Promise<Body> {
  const { limit, timeout, take } = options;
  if (Number(request.headers.get("content-length")) > limit) {
    await request.body?.cancel();
    return { status: 413 };
  }
  if (request.body === null) return { text: "" };
  const reader = request.body.getReader();
  const decoder = new TextDecoder();
  let late = false;
  const timer = new Timer(() => {
    late = true;
    reader.cancel().catch(() => {}); // a body that fails while being cancelled is over as well
  }, timeout);
  try {
    let text = "";
    let size = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (late) return { status: 408 };
      if (done) return { text: text + decoder.decode() };
      size += value.byteLength;
      const status = size > limit ? 413 : take?.(value.byteLength) === false ? 503 : undefined;
      if (status !== undefined) {
        await reader.cancel();
        return { status };
      }
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    return { status: 400 }; // the client went away, or broke off the body
  } finally {
    timer.clear();
  }
}
