import { distance } from "fastest-levenshtein";

/**
 * Finds the name that a wrong one was most likely meant to be. Up to a third of its letters may
 * differ, and case does not matter.
 *
 * @param wrong any text, of any length
 * @param names the names to choose from
 * @returns the nearest name, or undefined if none is near
 */
export function nearestName(wrong: string, names: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Infinity;
  for (const name of names) {
    // Comparing takes time in proportion to both lengths; a much longer text is no misspelling.
    if (wrong.length > 2 * name.length) continue;
    const letters = distance(wrong.toLowerCase(), name.toLowerCase());
    if (letters < least && letters <= Math.ceil(name.length / 3)) {
      nearest = name;
      least = letters;
    }
  }
  return nearest;
}
