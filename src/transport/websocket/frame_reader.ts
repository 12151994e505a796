import { joinBytes } from "../../runtime/bytes.ts";
import { isSendable } from "../close_code.ts";
import { OPCODE } from "./frame_codec.ts";
import { readKey, Unmasker } from "./unmask.ts";

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
  /**
   * The reader needs memory for an incomplete message.
   *
   * @returns false if it must not have it, which ends reading
   */
  onHold(bytes: number): boolean;
  /** The reader has freed memory of `onHold`. */
  onFree(bytes: number): void;
}

/** Options of a {@linkcode FrameReader}. */
export interface FrameReaderOptions {
  /** Maximum bytes of a message, fragmented or not; a longer one is a violation (1009). */
  readonly maxBytes: number;
  /** True if the peer must mask its frames, which clients do. */
  readonly isMasked: boolean;
}

/** Bytes that an incomplete message may have without `onHold`. */
const UNCOUNTED_BYTES = 4_096;
/** The first size of the buffer for an incomplete message. */
const FIRST_BYTES = 1_024;
const MAX_CONTROL_BYTES = 125;
const NOTHING = new Uint8Array(0);
/** What a decoder puts in the place of invalid UTF-8. Valid texts may contain it as well. */
const REPLACEMENT = "\uFFFD";

/** Parses the frames of a WebSocket (RFC 6455) from chunks of bytes. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxBytes: number;
  readonly #isMasked: boolean;
  /** Without options, since any option makes it ten times slower in Deno. */
  readonly #decoder = new TextDecoder();
  readonly #unmasker = new Unmasker();
  #stopped = false;
  /** The beginning of an incomplete header. */
  #header: Uint8Array<ArrayBuffer> = NOTHING;
  /** The first byte of the incomplete frame. */
  #first = 0;
  /** Bytes that are missing of the incomplete frame; -1 if there is none. */
  #missing = -1;
  /** Bytes received of the incomplete frame. */
  #received = 0;
  #key = 0;
  /** The payload of an incomplete control frame. */
  #control: Uint8Array<ArrayBuffer> = NOTHING;
  /** The received part of the incomplete message, in a buffer that grows. */
  #message: Uint8Array<ArrayBuffer> = NOTHING;
  #messageLength = 0;
  /** True between the fragments of a message. */
  #isFragmented = false;
  /** The opcode of the fragmented message. */
  #opcode = 0;

  constructor({ maxBytes, isMasked }: FrameReaderOptions, sink: FrameSink) {
    this.#maxBytes = maxBytes;
    this.#isMasked = isMasked;
    this.#sink = sink;
  }

  /** Stops reading. */
  stop(): void {
    this.#stopped = true;
    this.#header = NOTHING;
    this.#control = NOTHING;
    this.#freeMessage();
  }

  /** Reads the next bytes, and changes them. The caller may reuse them afterwards. */
  feed(bytes: Uint8Array<ArrayBuffer>): void {
    let data = bytes;
    let at = 0;
    while (!this.#stopped) {
      if (this.#missing >= 0) {
        const part = data.subarray(at, at + this.#missing);
        at += part.length;
        if (!this.#add(part)) return;
        continue;
      }
      if (this.#header.length > 0) {
        data = joinBytes([this.#header, data]);
        this.#header = NOTHING;
      }
      const size = headerSize(data, at);
      if (size === 0 || at + size > data.length) {
        if (at < data.length) this.#header = data.slice(at);
        return;
      }
      const first = data[at]!;
      const length = payloadLength(data, at);
      if (!this.#check(first, data[at + 1]!, length)) return;
      at += size;
      if (at + length <= data.length) {
        if (this.#isMasked) this.#unmasker.unmask(data, at, at + length, readKey(data, at), 0);
        this.#frame(first, data.subarray(at, at += length));
      } else {
        this.#first = first;
        this.#missing = length;
        this.#received = 0;
        if (this.#isMasked) this.#key = readKey(data, at);
      }
    }
  }

  /**
   * Adds a part of the incomplete frame.
   *
   * @returns true once the frame is complete
   */
  #add(part: Uint8Array<ArrayBuffer>): boolean {
    if (this.#isMasked) this.#unmasker.unmask(part, 0, part.length, this.#key, this.#received);
    const isControl = (this.#first & 0x0f) >= OPCODE.close;
    if (isControl) this.#control = joinBytes([this.#control, part]);
    else if (!this.#append(part)) return false;
    this.#received += part.length;
    this.#missing -= part.length;
    if (this.#missing > 0) return false;
    this.#missing = -1;
    if (isControl) {
      const payload = this.#control;
      this.#control = NOTHING;
      this.#frame(this.#first, payload);
    } else {
      this.#frame(this.#first, NOTHING);
    }
    return true;
  }

  #check(first: number, second: number, length: number): boolean {
    const opcode = first & 0x0f;
    const final = (first & 0x80) !== 0;
    if ((first & 0x70) !== 0) return this.#violation(1002, "reserved bits set");
    if (((second & 0x80) !== 0) !== this.#isMasked) {
      const reason = this.#isMasked
        ? "frame from a client without mask"
        : "masked frame from a server";
      return this.#violation(1002, reason);
    }
    if (opcode >= OPCODE.close) {
      if (opcode > OPCODE.pong) return this.#violation(1002, "unknown opcode");
      if (!final || length > MAX_CONTROL_BYTES) return this.#violation(1002, "bad control frame");
      return true;
    }
    if (opcode > OPCODE.binary) return this.#violation(1002, "unknown opcode");
    if ((opcode === OPCODE.continuation) !== this.#isFragmented) {
      return this.#violation(1002, "fragments out of order");
    }
    if (this.#messageLength + length > this.#maxBytes) {
      return this.#violation(1009, "message too long");
    }
    return true;
  }

  /** Handles a complete frame, or the end of one whose payload is in the buffer already. */
  #frame(first: number, payload: Uint8Array<ArrayBuffer>): void {
    switch (first & 0x0f) {
      case OPCODE.ping:
        return this.#sink.onPing(payload);
      case OPCODE.pong:
        return this.#sink.onPong();
      case OPCODE.close:
        return this.#close(payload);
    }
    const opcode = first & 0x0f;
    if (opcode !== OPCODE.continuation) this.#opcode = opcode;
    const final = (first & 0x80) !== 0;
    if (final && this.#messageLength === 0) {
      this.#isFragmented = false;
      return this.#text(payload);
    }
    if (!this.#append(payload)) return;
    this.#isFragmented = !final;
    if (!final) return;
    const message = this.#message.subarray(0, this.#messageLength);
    this.#freeMessage();
    this.#text(message);
  }

  /**
   * Appends to the incomplete message. The buffer grows with what has arrived, not with what a header
   * announces, and many small fragments share it.
   *
   * @returns false if the memory was refused
   */
  #append(part: Uint8Array<ArrayBuffer>): boolean {
    const length = this.#messageLength + part.length;
    const before = this.#message.length;
    if (length > before) {
      const size = Math.max(FIRST_BYTES, length, Math.min(length * 2, this.#maxBytes));
      if (size > UNCOUNTED_BYTES) {
        const counted = before > UNCOUNTED_BYTES ? before : 0;
        if (!this.#sink.onHold(size - counted)) {
          return this.#violation(1013, "too many bytes of incomplete messages");
        }
      }
      const grown = new Uint8Array(size);
      grown.set(this.#message.subarray(0, this.#messageLength));
      this.#message = grown;
    }
    this.#message.set(part, this.#messageLength);
    this.#messageLength = length;
    return true;
  }

  #freeMessage(): void {
    const { length } = this.#message;
    this.#message = NOTHING;
    this.#messageLength = 0;
    if (length > UNCOUNTED_BYTES) this.#sink.onFree(length);
  }

  /** Reads binary messages as text, too, with U+FFFD for invalid UTF-8, like the Go kite. */
  #text(payload: Uint8Array): void {
    const text = this.#decoder.decode(payload);
    if (this.#opcode === OPCODE.text && text.includes(REPLACEMENT) && !isUtf8(payload)) {
      this.#violation(1007, "invalid UTF-8");
    } else {
      this.#sink.onText(text);
    }
  }

  #close(payload: Uint8Array): void {
    if (payload.length === 0) return this.#sink.onCloseFrame(1005, "");
    const code = payload.length === 1 ? 0 : (payload[0]! << 8) | payload[1]!;
    if (!isSendable(code)) return void this.#violation(1002, "invalid close code");
    const reason = payload.subarray(2);
    if (!isUtf8(reason)) return void this.#violation(1007, "invalid UTF-8");
    this.#sink.onCloseFrame(code, this.#decoder.decode(reason));
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
  const size = length < 126 ? 2 : length === 126 ? 4 : 10;
  return (second & 0x80) === 0 ? size : size + 4;
}

function payloadLength(data: Uint8Array, at: number): number {
  const length = data[at + 1]! & 0x7f;
  if (length < 126) return length;
  if (length === 126) return (data[at + 2]! << 8) | data[at + 3]!;
  const view = new DataView(data.buffer, data.byteOffset + at + 2, 8);
  return view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4);
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
