const POLL_MS = 10;

/**
 * Asks again and again until `probe` gives something other than undefined, null or false, and
 * returns that. Fails after `withinMs` with the last error of `probe`, or with `what`.
 */
export async function eventually<Value>(
  probe: () => Value | Promise<Value>,
  { withinMs = 5_000, what = "what was waited for" }: { withinMs?: number; what?: string } = {},
): Promise<NonNullable<Exclude<Value, false>>> {
  const end = performance.now() + withinMs;
  let failure: unknown;
  do {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false) {
        return value as NonNullable<Exclude<Value, false>>;
      }
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  } while (performance.now() < end);
  throw failure ?? new Error(`${what} did not come within ${withinMs} ms`);
}
