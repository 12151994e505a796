import { isStream } from "./text.ts";

/** The argument that is replaced with a function. */
export const CALLBACK = "@callback";

/**
 * Reads the arguments of a call: JSON, or else plain text. `@callback` becomes a function,
 * anywhere in them, and `@@callback` that text itself.
 */
export function readArguments(
  words: readonly string[],
  callback: (...args: unknown[]) => void,
): unknown[] {
  return words.map((word) => placeCallbacks(readJson(word), callback));
}

function readJson(word: string): unknown {
  try {
    return JSON.parse(word);
  } catch {
    return word;
  }
}

function placeCallbacks(value: unknown, callback: (...args: unknown[]) => void): unknown {
  if (value === CALLBACK) return callback;
  if (value === `@${CALLBACK}`) return CALLBACK;
  if (Array.isArray(value)) return value.map((each) => placeCallbacks(each, callback));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, placeCallbacks(each, callback)]),
  );
}

/** Finds the streams in a result, outermost first. */
export function findStreams(value: unknown): AsyncIterable<unknown>[] {
  if (isStream(value)) return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(findStreams);
}
