/**
 * True if `text` needs more than `limit` bytes of UTF-8. The text is scanned only if its length does
 * not decide: each UTF-16 unit needs one to three bytes.
 */
export function exceedsBytes(text: string, limit: number): boolean {
  if (text.length > limit) return true;
  if (text.length * 3 <= limit) return false;
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // A surrogate pair needs four bytes, two for each half.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
    if (bytes > limit) return true;
  }
  return bytes > limit;
}
