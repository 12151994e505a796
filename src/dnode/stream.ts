/** What travels as a stream. */
export type StreamSource = AsyncIterable<unknown> | ReadableStream<unknown>;

/** The value that replaces a stream in a message, next to its two functions. */
export const STREAM_PLACEHOLDER: Readonly<Record<string, unknown>> = Object.freeze({
  $stream: 1,
  pull: "[Function]",
  cancel: "[Function]",
});

/** True for async iterables and for `ReadableStream`s, which some browsers cannot iterate. */
export function isStreamSource(value: object): value is StreamSource {
  const { getReader } = value as { getReader?: unknown };
  return typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === "function" ||
    (typeof getReader === "function" && "locked" in value);
}

/** True if a value that was sent contains a stream, at any depth. */
export function containsStream(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return isStreamSource(value) || Object.values(value).some(containsStream);
}
