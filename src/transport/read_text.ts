/**
 * Reads a stream as UTF-8 text, until its end or until `accept` refuses a chunk.
 *
 * @param accept receives the length of each chunk, bytes; reading stops if it returns false
 * @param signal stops reading when aborted
 * @returns the text; `undefined` if reading was stopped, after which the stream is cancelled
 * @throws {Error} if the stream fails
 *
 * @example
 * ```ts
 * import { readText } from "./read_text.ts";
 *
 * let left = 1_024;
 * const text = await readText(new Response("hello").body, (bytes) => (left -= bytes) >= 0);
 * console.assert(text === "hello");
 * ```
 */
export async function readText(
  stream: ReadableStream<Uint8Array> | null,
  accept: (bytes: number) => boolean,
  signal?: AbortSignal,
): Promise<string | undefined> {
  if (stream === null) return "";
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  const cancel = (): void => {
    reader.cancel().catch(() => {}); // the stream failed at the same time
  };
  signal?.addEventListener("abort", cancel);
  try {
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (signal?.aborted) return undefined;
      if (done) return text + decoder.decode();
      if (!accept(value.length)) {
        await reader.cancel();
        return undefined;
      }
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}
