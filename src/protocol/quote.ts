const SHOWN_CHARACTERS = 40;

/** A value as an error message shows it: quoted when it is text, and never long. */
export function quote(value: unknown): string {
  if (typeof value !== "string") return `a value of type ${value === null ? "null" : typeof value}`;
  if (value.length <= SHOWN_CHARACTERS) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, SHOWN_CHARACTERS))}… (${value.length} characters)`;
}
