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
    const most = Math.ceil(name.length / 3);
    // The cost grows with both lengths, and strangers choose one of them.
    if (Math.abs(wrong.length - name.length) > most) continue;
    const letters = distance(wrong.toLowerCase(), name.toLowerCase(), most);
    if (letters < least && letters <= most) {
      nearest = name;
      least = letters;
    }
  }
  return nearest;
}

/**
 * Returns the Levenshtein distance: how many letters to insert, remove or replace. Stops when it must
 * be more than `most`.
 */
function distance(from: string, to: string, most: number): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1];
    for (let other = 0; other < to.length; other++) {
      const replaced = row[other]! + (from[index] === to[other] ? 0 : 1);
      next.push(Math.min(next[other]! + 1, row[other + 1]! + 1, replaced));
    }
    if (Math.min(...next) > most) return Infinity;
    row = next;
  }
  return row[to.length]!;
}
