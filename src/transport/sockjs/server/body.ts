/** Milliseconds in which the body of an upstream request must have arrived. */
const BODY_TIMEOUT = 30_000;

/** What came of reading a body: its text, or the HTTP status that refuses it. */
export type Body = { readonly text: string } | { readonly status: 400 | 408 | 413 };

/** Reads a request's body as UTF-8, no further than `limit` bytes. */
export async function readBody(request: Request, limit: number): Promise<Body> {
  if (Number(request.headers.get("content-length")) > limit) {
    await request.body?.cancel();
    return { status: 413 };
  }
  if (request.body === null) return { text: "" };
  const reader = request.body.getReader();
  const decoder = new TextDecoder();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    reader.cancel().catch(() => {}); // a body that fails while being cancelled is over as well
  }, BODY_TIMEOUT);
  try {
    let text = "";
    let size = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (late) return { status: 408 };
      if (done) return { text: text + decoder.decode() };
      size += value.byteLength;
      if (size > limit) {
        await reader.cancel();
        return { status: 413 };
      }
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    return { status: 400 }; // the client went away, or broke off the body
  } finally {
    clearTimeout(timer);
  }
}
