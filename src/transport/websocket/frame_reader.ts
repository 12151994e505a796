import { OPCODE } from "./frame_codec.ts";

/** The listener of a {@linkcode FrameReader}. */
export interface FrameSink {
  onText(text: string): void;
  onPing(payload: Uint8Array): void;
  onPong(): void;
  /** @param code 1005 when the frame held none. */
  onCloseFrame(code: number, reason: string): void;
  /**
   * The peer broke the protocol; nothing more is read.
   *
   * @param code the close code to send.
   */
  onViolation(code: number, reason: string): void;
}

const LONGEST_HEADER = 10;
const NOTHING = new Uint8Array(0);

/** Parses the frames of a WebSocket server (RFC 6455) from chunks of bytes. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxBytes: number;
  /** Without options, since any option makes it ten times slower in Deno. */
  readonly #decoder = new TextDecoder();
  #stopped = false;
  /** The beginning of an incomplete header. */
  #header: Uint8Array = NOTHING;
  /** The current frame: its first byte, and the received part of its payload. */
  #first = 0;
  #payload: Uint8Array | undefined;
  #filled = 0;
  /** The message whose fragments are being collected. */
  #message: Uint8Array | undefined;
  #messageLength = 0;

  /** @param maxBytes maximum bytes of a message, fragmented or not; a longer one is a violation (1009) */
  constructor(maxBytes: number, sink: FrameSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  /** Stops reading. */
  stop(): void {
    this.#stopped = true;
    this.#header = NOTHING;
    this.#payload = undefined;
    this.#message = undefined;
  }

  /** Reads the next bytes, which the caller may reuse afterwards. */
  feed(bytes: Uint8Array): void {
    let data = bytes;
    let at = 0;
    while (!this.#stopped) {
      if (this.#payload !== undefined) {
        const piece = data.subarray(at, at + this.#payload.length - this.#filled);
        this.#payload.set(piece, this.#filled);
        this.#filled += piece.length;
        at += piece.length;
        if (this.#filled < this.#payload.length) return;
        const payload = this.#payload;
        this.#payload = undefined;
        this.#frame(payload);
        continue;
      }
      if (this.#header.length > 0) {
        data = joined(this.#header, data);
        this.#header = NOTHING;
      }
      const size = headerSize(data, at);
      if (size === 0 || at + size > data.length) {
        if (at < data.length) this.#header = data.slice(at);
        return;
      }
      const length = payloadLength(data, at);
      if (!this.#check(data[at]!, data[at + 1]!, length)) return;
      this.#first = data[at]!;
      at += size;
      if (at + length <= data.length) {
        this.#frame(data.subarray(at, at += length));
      } else {
        this.#payload = new Uint8Array(length);
        this.#filled = 0;
      }
    }
  }

  #check(first: number, second: number, length: number): boolean {
    const opcode = first & 0x0f;
    const final = (first & 0x80) !== 0;
    if ((first & 0x70) !== 0) return this.#violation(1002, "reserved bits set");
    if ((second & 0x80) !== 0) return this.#violation(1002, "masked frame from a server");
    if (opcode >= OPCODE.close) {
      if (opcode > OPCODE.pong) return this.#violation(1002, "unknown opcode");
      if (!final || length > 125) return this.#violation(1002, "bad control frame");
      return true;
    }
    if (opcode > OPCODE.binary) return this.#violation(1002, "unknown opcode");
    if ((opcode === OPCODE.continuation) !== (this.#message !== undefined)) {
      return this.#violation(1002, "fragments out of order");
    }
    if (this.#messageLength + length > this.#maxBytes) {
      return this.#violation(1009, "message too long");
    }
    return true;
  }

  #frame(payload: Uint8Array): void {
    switch (this.#first & 0x0f) {
      case OPCODE.ping:
        return this.#sink.onPing(payload);
      case OPCODE.pong:
        return this.#sink.onPong();
      case OPCODE.close:
        return this.#close(payload);
    }
    const final = (this.#first & 0x80) !== 0;
    if (this.#message === undefined && final) return this.#text(payload);
    this.#gather(payload);
    if (!final) return;
    const message = this.#message!.subarray(0, this.#messageLength);
    this.#message = undefined;
    this.#messageLength = 0;
    this.#text(message);
  }

  /** Collects fragments in one growing buffer, since a list of many small fragments needs more memory. */
  #gather(fragment: Uint8Array): void {
    const length = this.#messageLength + fragment.length;
    if (this.#message === undefined || length > this.#message.length) {
      const grown = new Uint8Array(Math.max(1024, length * 2));
      if (this.#message !== undefined) grown.set(this.#message);
      this.#message = grown;
    }
    this.#message.set(fragment, this.#messageLength);
    this.#messageLength = length;
  }

  /** Reads binary messages as text, too, and invalid UTF-8 as U+FFFD, like the Go kite. */
  #text(payload: Uint8Array): void {
    this.#sink.onText(this.#decoder.decode(payload));
  }

  #close(payload: Uint8Array): void {
    if (payload.length < 2) return this.#sink.onCloseFrame(1005, "");
    const reason = this.#decoder.decode(payload.subarray(2));
    this.#sink.onCloseFrame((payload[0]! << 8) | payload[1]!, reason);
  }

  #violation(code: number, reason: string): false {
    this.stop();
    this.#sink.onViolation(code, reason);
    return false;
  }
}

/** Returns the length of the header at `at`; 0 if there are too few bytes to determine it. */
function headerSize(data: Uint8Array, at: number): number {
  const second = data[at + 1];
  if (second === undefined) return 0;
  const length = second & 0x7f;
  return length < 126 ? 2 : length === 126 ? 4 : LONGEST_HEADER;
}

function payloadLength(data: Uint8Array, at: number): number {
  const length = data[at + 1]! & 0x7f;
  if (length < 126) return length;
  if (length === 126) return (data[at + 2]! << 8) | data[at + 3]!;
  const view = new DataView(data.buffer, data.byteOffset + at + 2, 8);
  return view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4);
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const both = new Uint8Array(head.length + tail.length);
  both.set(head);
  both.set(tail, head.length);
  return both;
}
