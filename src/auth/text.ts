const MAX_SHOWN = 256;

/** Prepares an untrusted text for an error message: truncates it and removes control characters. */
export function clip(text: string): string {
  let shown = "";
  for (const character of text.slice(0, MAX_SHOWN)) {
    const code = character.codePointAt(0) ?? 0;
    shown += code < 0x20 || (code >= 0x7f && code < 0xa0) ? "\ufffd" : character;
  }
  return text.length > MAX_SHOWN ? `${shown}…` : shown;
}
