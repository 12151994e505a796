/**
 * Reads one field of a urlencoded form without decoding the others, so that a form of a million fields
 * needs no additional memory.
 *
 * @returns the decoded value of the first field with that name; `undefined` if there is none
 */
export function formField(form: string, name: string): string | undefined {
  const prefix = `${name}=`;
  const start = form.startsWith(prefix) ? 0 : form.indexOf(`&${prefix}`) + 1;
  if (start === 0 && !form.startsWith(prefix)) return undefined;
  const end = form.indexOf("&", start);
  const field = form.slice(start, end === -1 ? form.length : end);
  return new URLSearchParams(field).get(name) ?? undefined;
}
