import { distance } from "fastest-levenshtein";

/**
 * Finds the name that a misspelt one most likely stands for. Up to a third of its letters may
 * differ; case is ignored.
 *
 * @param wrong any text, of any length
 * @param names the names to choose from
 * @returns the nearest name, or undefined if none is similar
 */
export function nearestName(wrong: string, names: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Infinity;
  for (const name of names) {
    // The cost of a comparison grows with both lengths; a much longer text is not a misspelling.
    if (wrong.length > 2 * name.length) continue;
    const letters = distance(wrong.toLowerCase(), name.toLowerCase());
    if (letters < least && letters <= Math.ceil(name.length / 3)) {
      nearest = name;
      least = letters;
    }
  }
  return nearest;
}
