import { joinBytes } from "../../runtime/bytes.ts";
import type { ByteStream, ByteStreamHandler } from "../../runtime/byte_stream.ts";
import type { EncodedText } from "../encoded_text.ts";
import { isSendable } from "../close_code.ts";
import { FrameEncoder, OPCODE } from "./frame_codec.ts";
import { FrameReader, type FrameSink } from "./frame_reader.ts";
import { CLOSE_TIMEOUT, type MessageSocket, type SocketHandler } from "./socket.ts";

const NO_PAYLOAD = new Uint8Array(0);
/** Bytes of an encoded text up to which it is copied into one frame. */
const MAX_COPY = 65_536;
/** Bytes of memory of a write that waits, in addition to its own. */
const WRITE_COST = 256;

/** Options of a {@linkcode FramedSocket}. */
export interface FramedOptions {
  /** True for the server's side, which receives masked frames and sends others. */
  readonly isServer: boolean;
  /** Maximum bytes of an incoming message; a longer one closes the socket with 1009. */
  readonly maxBytes: number;
  /** Maximum bytes waiting to be sent. If a ping arrives above this limit, the connection is closed. */
  readonly outgoingBytes: number;
}

/** A WebSocket (RFC 6455) over a byte stream, after the handshake. */
export class FramedSocket implements MessageSocket, FrameSink, ByteStreamHandler {
  readonly #stream: ByteStream;
  readonly #handler: SocketHandler;
  readonly #outgoingBytes: number;
  readonly #encoder: FrameEncoder;
  readonly #reader: FrameReader;
  #closeSent = false;
  /** Pongs for the pings that have arrived together, which are sent together. */
  #pongs: Uint8Array<ArrayBuffer>[] = [];
  /** Writes of pongs since everything was last sent, at most. */
  #unsentPongs = 0;
  #code = 1006;
  #reason = "the connection was lost";
  #deadline: ReturnType<typeof setTimeout> | undefined;

  constructor(stream: ByteStream, options: FramedOptions, handler: SocketHandler) {
    this.#stream = stream;
    this.#handler = handler;
    this.#outgoingBytes = options.outgoingBytes;
    const { maxBytes, isServer } = options;
    this.#encoder = new FrameEncoder(!isServer);
    this.#reader = new FrameReader({ maxBytes, isMasked: isServer }, this);
  }

  get remoteAddress(): string {
    return this.#stream.remoteAddress;
  }

  get bufferedAmount(): number {
    return this.#stream.bufferedAmount;
  }

  send(text: string): void {
    if (!this.#closeSent) this.#stream.write(this.#encoder.text(text));
  }

  sendEncoded(text: EncodedText): void {
    if (this.#closeSent) return;
    const [head, body, tail] = text.bytes();
    const parts = [this.#encoder.start(head, text.byteLength), body, tail];
    // A copy of a short text takes less time than further writes.
    if (text.byteLength <= MAX_COPY) this.#stream.write(joinBytes(parts));
    else for (const part of parts) this.#stream.write(part);
  }

  ping(): boolean {
    if (!this.#closeSent) this.#stream.write(this.#encoder.control(OPCODE.ping, NO_PAYLOAD));
    return true;
  }

  close(code: number, reason: string): void {
    if (this.#closeSent) return;
    this.#sendPongs();
    this.#closeSent = true;
    this.#stream.write(this.#encoder.close(isSendable(code) ? code : 1000, reason));
    this.#deadline = setTimeout(() => this.#stream.destroy(), CLOSE_TIMEOUT);
  }

  terminate(): void {
    this.#closeSent = true;
    this.#reader.stop();
    this.#stream.destroy();
  }

  onData(bytes: Uint8Array<ArrayBuffer>): void {
    this.#handler.onAlive();
    this.#reader.feed(bytes);
    if (this.#pongs.length > 0) this.#sendPongs();
  }

  onEnd(): void {
    clearTimeout(this.#deadline);
    this.#closeSent = true;
    this.#reader.stop();
    this.#handler.onClose(this.#code, this.#reason);
  }

  onText(text: string): void {
    this.#handler.onText(text);
  }

  onPing(payload: Uint8Array): void {
    if (!this.#closeSent) this.#pongs.push(this.#encoder.control(OPCODE.pong, payload));
  }

  onPong(): void {
    // `receive` has already recorded the sign of life.
  }

  onCloseFrame(code: number, reason: string): void {
    this.#reader.stop();
    this.#code = code;
    this.#reason = reason;
    this.#handler.onClosing();
    this.close(code, "");
    this.#stream.end();
  }

  onHold(bytes: number): boolean {
    return this.#handler.onHold?.(bytes) ?? true;
  }

  onFree(bytes: number): void {
    this.#handler.onFree?.(bytes);
  }

  onViolation(code: number, reason: string): void {
    this.#code = code;
    this.#reason = reason;
    this.#handler.onClosing();
    if (this.#handler.onViolation === undefined) this.close(code, reason);
    else this.#handler.onViolation(code, reason);
    this.#stream.end();
  }

  /** Pongs for a peer that never reads would use up memory, as bytes or as many small writes. */
  #sendPongs(): void {
    const pongs = this.#pongs;
    if (pongs.length === 0 || this.#closeSent) return;
    this.#pongs = [];
    const unsent = this.#stream.bufferedAmount;
    this.#unsentPongs = Math.min(this.#unsentPongs + 1, unsent / 2);
    if (unsent + this.#unsentPongs * WRITE_COST > this.#outgoingBytes) return this.terminate();
    this.#stream.write(pongs.length === 1 ? pongs[0]! : joinBytes(pongs));
  }
}
