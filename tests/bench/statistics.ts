/** The middle value; of an even count the upper of the two. @throws when there is none */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted[sorted.length >> 1];
  if (middle === undefined) throw new RangeError("the median of nothing");
  return middle;
}

/** Waits so many seconds. */
export function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
}
