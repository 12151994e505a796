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
   * The header and the first bytes of a server's text message. The others follow unchanged.
   *
   * @param length the number of bytes of the message
   */
  start(first: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
    const frame = new Uint8Array(HEADER_ROOM + first.length);
    frame.set(first, HEADER_ROOM);
    return frame.subarray(this.#writeHeader(frame, OPCODE.text, length));
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
    return frame.subarray(this.#writeHeader(frame, opcode, length), HEADER_ROOM + length);
  }

  /** Writes a header before the payload, and returns where it begins. */
  #writeHeader(frame: Uint8Array<ArrayBuffer>, opcode: number, length: number): number {
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
    return start;
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

function frameSize(payload: number): number {
  return HEADER_ROOM + ((payload + 3) & ~3);
}
