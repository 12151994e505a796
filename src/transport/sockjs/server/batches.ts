/**
 * Splits `messages` into batches of at most about `limit` characters, to limit the size of frames. A
 * longer message has its own batch.
 */
export function forEachBatch(
  messages: readonly string[],
  limit: number,
  use: (batch: readonly string[]) => void,
): void {
  let start = 0;
  while (start < messages.length) {
    const end = batchEnd(messages, start, limit);
    use(start === 0 && end === messages.length ? messages : messages.slice(start, end));
    start = end;
  }
}

/** Returns the end of the batch that begins at `start`. A batch has at least one message. */
export function batchEnd(messages: readonly string[], start: number, limit: number): number {
  let size = messages[start]?.length ?? 0;
  let end = start + 1;
  while (end < messages.length) {
    size += messages[end]?.length ?? 0;
    if (size > limit) break;
    end++;
  }
  return end;
}
