/** Returns random bytes as hex digits, two for each byte. */
export function randomHex(bytes: number): string {
  let text = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(bytes))) {
    text += byte.toString(16).padStart(2, "0");
  }
  return text;
}

/** Returns a random UUID. Browsers have `crypto.randomUUID` only for pages that they call secure. */
export function randomUuid(): string {
  const hex = randomHex(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-` +
    hex.slice(20);
}
