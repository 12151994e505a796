/**
 * Reads the whole body of `response` as text.
 *
 * @param onChunk called for each piece that comes.
 * @returns `undefined` when it is longer than `maxBytes`; the rest is then cancelled.
 * @throws {TypeError} when the connection breaks.
 */
export async function readBody(
  response: Response,
  maxBytes: number,
  onChunk: () => void,
): Promise<string | undefined> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let text = "";
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    onChunk();
    length += value.length;
    if (length > maxBytes) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}
