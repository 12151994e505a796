/** The number of bytes from which it is faster to unmask whole words. */
const MANY_BYTES = 32;

const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Removes the masks of the payloads that one peer sends. */
export class Unmasker {
  /** The words of the buffer that was last given, since most payloads are in the same one. */
  #words: Uint32Array | undefined;

  /**
   * Removes the mask of a payload, or of a part of it, in place.
   *
   * @param start the index of the first byte in `bytes`
   * @param end the index after the last byte
   * @param key the four bytes of the frame's key, the first one lowest
   * @param offset the position of `start` in the payload
   */
  unmask(
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    end: number,
    key: number,
    offset: number,
  ): void {
    let at = start;
    let turn = offset & 3;
    if (end - start >= MANY_BYTES && IS_LITTLE_ENDIAN) {
      // Up to the first byte that is aligned to words.
      const aligned = at + (-(bytes.byteOffset + at) & 3);
      for (; at < aligned; at++, turn = (turn + 1) & 3) bytes[at]! ^= key >>> (turn * 8);
      const words = this.#wordsOf(bytes.buffer);
      const word = turn === 0 ? key : (key >>> (turn * 8)) | (key << (32 - turn * 8));
      const count = (end - at) >>> 2;
      const first = (bytes.byteOffset + at) >>> 2;
      for (let i = first; i < first + count; i++) words[i]! ^= word;
      at += count * 4;
    }
    for (; at < end; at++, turn = (turn + 1) & 3) bytes[at]! ^= key >>> (turn * 8);
  }

  #wordsOf(buffer: ArrayBuffer): Uint32Array {
    if (this.#words?.buffer === buffer) return this.#words;
    return this.#words = new Uint32Array(buffer, 0, buffer.byteLength >>> 2);
  }
}

/** Reads the key of a masked frame, whose header ends before `end`. */
export function readKey(bytes: Uint8Array, end: number): number {
  return bytes[end - 4]! | bytes[end - 3]! << 8 | bytes[end - 2]! << 16 | bytes[end - 1]! << 24;
}
