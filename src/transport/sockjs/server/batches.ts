/**
 * Hands out `messages` in order, in runs of about `limit` characters, so that no frame grows without
 * bound. A message longer than that goes alone.
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

/** Where the run that begins at `start` ends; always after it. */
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
