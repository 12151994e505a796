/** Control characters and those that change the order of text; a remote may send them. */
const UNSAFE = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Makes a text of a remote safe to print. */
export function safeText(text: string): string {
  return text.replace(UNSAFE, "\ufffd");
}

/** Does the same as {@linkcode safeText}, on one line. */
export function safeLine(text: string): string {
  return safeText(text).replace(/[\n\t]/g, "\ufffd");
}

/** Encodes a value as JSON that is safe to print. Functions and streams are shown by name. */
export function safeJson(value: unknown, indent = 0): string {
  const text = JSON.stringify(value, showSpecial, indent) ?? "null";
  // JSON escapes most control characters itself. The line ends between members stay.
  return text.replace(UNSAFE, (each) => {
    return Array.from(
      { length: each.length },
      (_, i) => `\\u${each.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join("");
  });
}

function showSpecial(_key: string, value: unknown): unknown {
  if (typeof value === "function") return "[Function]";
  return isStream(value) ? "[Stream]" : value;
}

/** True for a stream of a remote. A JSON value has no such member. */
export function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** Formats rows as text in columns. The last column may have any width. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const safe = rows.map((row) => row.map(safeLine));
  const widths: number[] = [];
  for (const row of safe) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return safe.map((row) =>
    row.map((cell, i) => i === row.length - 1 ? cell : cell.padEnd(widths[i]!)).join("  ").trimEnd()
  );
}
