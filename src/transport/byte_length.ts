/**
 * True if `text` takes more than `limit` bytes of UTF-8. Only a text whose length leaves it open is
 * looked at: each UTF-16 unit takes between one and three bytes.
 */
export function exceedsBytes(text: string, limit: number): boolean {
  if (text.length > limit) return true;
  if (text.length * 3 <= limit) return false;
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // A surrogate pair takes four bytes: two for each half.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
    if (bytes > limit) return true;
  }
  return bytes > limit;
}
