/** The opcodes of WebSocket frames (RFC 6455 5.2). */
export const OPCODE = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;

/** Bytes before the payload. The longest header has 14 bytes; 16 aligns the payload to words. */
const HEADER_ROOM = 16;
const KEY_OFFSET = 12;
const KEYS_AT_ONCE = 256;
/** The number of bytes from which it is faster to unmask whole words. */
const MANY_BYTES = 48;

/** Encodes frames, which are not fragmented. Those of a client are masked, those of a server are not. */
export class FrameEncoder {
  readonly #isMasked: boolean;
  readonly #encoder = new TextEncoder();
  readonly #keys = new Uint32Array(KEYS_AT_ONCE);
  #nextKey = KEYS_AT_ONCE;

  /** @param isMasked true for a client, which must mask its frames */
  constructor(isMasked: boolean) {
    this.#isMasked = isMasked;
  }

  /** Encodes a text message as one frame. */
  text(message: string): Uint8Array<ArrayBuffer> {
    const units = message.length;
    let frame = new Uint8Array(frameSize(units));
    let { read, written } = this.#encoder.encodeInto(message, frame.subarray(HEADER_ROOM));
    if (read < units) { // not only ASCII: at most three bytes per remaining unit
      const wide = new Uint8Array(frameSize(written + (units - read) * 3));
      wide.set(frame.subarray(0, HEADER_ROOM + written));
      const rest = wide.subarray(HEADER_ROOM + written);
      written += this.#encoder.encodeInto(message.slice(read), rest).written;
      frame = wide;
    }
    return this.#seal(frame, OPCODE.text, written);
  }

  /**
   * A control frame.
   *
   * @param payload at most 125 bytes.
   */
  control(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
    const frame = new Uint8Array(frameSize(payload.length));
    frame.set(payload, HEADER_ROOM);
    return this.#seal(frame, opcode, payload.length);
  }

  /**
   * A close frame.
   *
   * @param reason is cut at 123 bytes.
   */
  close(code: number, reason: string): Uint8Array<ArrayBuffer> {
    const payload = new Uint8Array(125);
    payload[0] = code >>> 8;
    payload[1] = code & 0xff;
    const { written } = this.#encoder.encodeInto(reason, payload.subarray(2));
    return this.control(OPCODE.close, payload.subarray(0, 2 + written));
  }

  #seal(
    frame: Uint8Array<ArrayBuffer>,
    opcode: number,
    length: number,
  ): Uint8Array<ArrayBuffer> {
    if (this.#isMasked) this.#mask(frame, length);
    const extended = length < 126 ? 0 : length < 0x10000 ? 2 : 8;
    const start = (this.#isMasked ? KEY_OFFSET : HEADER_ROOM) - 2 - extended;
    frame[start] = 0x80 | opcode;
    const lengthByte = extended === 0 ? length : extended === 2 ? 126 : 127;
    frame[start + 1] = this.#isMasked ? 0x80 | lengthByte : lengthByte;
    if (extended === 2) {
      frame[start + 2] = length >>> 8;
      frame[start + 3] = length & 0xff;
    } else if (extended === 8) {
      const view = new DataView(frame.buffer);
      view.setUint32(start + 2, Math.floor(length / 0x1_0000_0000));
      view.setUint32(start + 6, length >>> 0);
    }
    return frame.subarray(start, HEADER_ROOM + length);
  }

  #mask(frame: Uint8Array<ArrayBuffer>, length: number): void {
    const words = new Uint32Array(frame.buffer);
    const key = this.#takeKey();
    words[KEY_OFFSET / 4] = key;
    const end = (HEADER_ROOM + length + 3) >>> 2;
    // Masks whole words; key and payload have the same byte order. Bytes past the end are not sent.
    for (let at = HEADER_ROOM / 4; at < end; at++) words[at]! ^= key;
  }

  /** RFC 6455 5.3 requires unpredictable keys. They are cheap if many are generated at once. */
  #takeKey(): number {
    if (this.#nextKey === KEYS_AT_ONCE) {
      crypto.getRandomValues(this.#keys);
      this.#nextKey = 0;
    }
    return this.#keys[this.#nextKey++]!;
  }
}

/**
 * Removes the mask of a payload, or of a part of it, in place.
 *
 * @param start the index of the first byte in `bytes`
 * @param end the index after the last byte
 * @param key the four bytes of the frame's key, the first one lowest
 * @param offset the position of `start` in the payload
 */
export function unmask(
  bytes: Uint8Array<ArrayBuffer>,
  start: number,
  end: number,
  key: number,
  offset: number,
): void {
  let at = start;
  let turn = offset & 3;
  const isLong = end - start >= MANY_BYTES;
  // Up to the first byte that is aligned to words.
  const prefix = isLong ? at + ((4 - ((bytes.byteOffset + at) & 3)) & 3) : end;
  for (; at < prefix; at++, turn = (turn + 1) & 3) bytes[at]! ^= key >>> (turn * 8);
  if (!isLong) return;
  const rotated = new Uint8Array(4);
  for (let i = 0; i < 4; i++) rotated[i] = key >>> (((turn + i) & 3) * 8);
  const word = new Uint32Array(rotated.buffer)[0]!;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >>> 2);
  for (let i = 0; i < words.length; i++) words[i]! ^= word;
  for (at += words.length * 4; at < end; at++, turn = (turn + 1) & 3) {
    bytes[at]! ^= key >>> (turn * 8);
  }
}

/** Reads the key of a masked frame, whose header ends before `end`. */
export function readKey(bytes: Uint8Array, end: number): number {
  return bytes[end - 4]! | bytes[end - 3]! << 8 | bytes[end - 2]! << 16 | bytes[end - 1]! << 24;
}

function frameSize(payload: number): number {
  return HEADER_ROOM + ((payload + 3) & ~3);
}
