import { Timer } from "../../../runtime/timer.ts";
import { readText } from "../../read_text.ts";

/** The result of reading a body: its text, or the HTTP status that refuses it. */
export type Body = { readonly text: string } | { readonly status: 400 | 408 | 413 | 503 };

/** Options of {@linkcode readBody}. */
export interface BodyOptions {
  /** Maximum bytes of the body. A longer one is refused with status 413. */
  readonly limit: number;
  /** Milliseconds within which the body must arrive. A slower one is refused with status 408. */
  readonly timeout: number;
  /**
   * Counts received bytes. If it returns false, the body is refused with status 503.
   *
   * @default bytes are not counted
   */
  readonly take?: (bytes: number) => boolean;
}

/** Reads the body of a request as UTF-8. */
export async function readBody(request: Request, options: BodyOptions): Promise<Body> {
  const { limit, timeout, take } = options;
  if (Number(request.headers.get("content-length")) > limit) {
    await request.body?.cancel();
    return { status: 413 };
  }
  if (request.body === null) return { text: "" };
  let size = 0;
  let status: 408 | 413 | 503 = 408;
  const late = new AbortController();
  const timer = new Timer(() => late.abort(), timeout);
  const accept = (bytes: number): boolean => {
    size += bytes;
    if (size > limit) status = 413;
    else if (take?.(bytes) === false) status = 503;
    else return true;
    return false;
  };
  try {
    const text = await readText(request.body, accept, late.signal);
    return text === undefined ? { status } : { text };
  } catch {
    return { status: 400 }; // the client has disconnected or sent an incomplete body
  } finally {
    timer.clear();
  }
}
