/**
 * Finds the name that a misspelt one most likely stands for. Up to a third of its letters may
 * differ, all at one place; case is ignored. Takes linear time, since strangers choose the text.
 *
 * @param wrong any text, of any length
 * @param names the names to choose from
 * @returns the nearest name, or undefined if none is similar
 */
export function nearestName(wrong: string, names: readonly string[]): string | undefined {
  const lower = wrong.toLowerCase();
  let nearest: string | undefined;
  let least = Infinity;
  for (const name of names) {
    const letters = difference(lower, name.toLowerCase());
    if (letters < least && letters <= Math.ceil(name.length / 3)) {
      nearest = name;
      least = letters;
    }
  }
  return nearest;
}

/** Returns how many letters of the longer text are left between the beginning and the end of both. */
function difference(one: string, other: string): number {
  const shorter = Math.min(one.length, other.length);
  let start = 0;
  while (start < shorter && one[start] === other[start]) start++;
  let end = start;
  while (end < shorter && one.at(start - end - 1) === other.at(start - end - 1)) end++;
  return Math.max(one.length, other.length) - end;
}
