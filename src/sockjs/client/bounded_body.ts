/**
 * Reads the whole body of `response` as text.
 *
 * @param onChunk called for each piece that comes.
 * @returns `undefined` when it is longer than `maxBytes`; the rest is then cancelled.
 * @throws {TypeError} when it is no UTF-8, or the connection breaks.
 */
export async function readBody(
  response: Response,
  maxBytes: number,
  onChunk: () => void,
): Promise<string | undefined> {
  if (response.body === null) return "";
  const decoder = new TextDecoder("utf-8", { fatal: true });
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
    try {
      text += decoder.decode(value, { stream: true });
    } catch (error) {
      await reader.cancel();
      throw error;
    }
  }
}
