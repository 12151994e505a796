/**
 * The name of `names` that was most likely meant by `wrong`, or `undefined` when none comes near:
 * about a third of its letters may differ, and case does not count.
 */
export function nearestName(wrong: string, names: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Infinity;
  for (const name of names) {
    const distance = editDistance(wrong.toLowerCase(), name.toLowerCase());
    if (distance < least && distance <= Math.ceil(name.length / 3)) {
      nearest = name;
      least = distance;
    }
  }
  return nearest;
}

/** How many letters must be put in, left out or changed to come from `a` to `b` (Levenshtein). */
function editDistance(a: string, b: string): number {
  // Names are short; a longer text is no misspelling of one.
  if (Math.abs(a.length - b.length) > b.length) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let line = 1; line <= a.length; line++) {
    const next = [line];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (a[line - 1] === b[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? Infinity;
}
