import { type ByteStream, connectStream } from "../../runtime/dial.ts";
import { isSendable } from "../close_code.ts";
import { FrameEncoder, OPCODE } from "./frame_codec.ts";
import { FrameReader, type FrameSink } from "./frame_reader.ts";
import { Handshake } from "./handshake.ts";
import {
  type ClientSocket,
  type ClientSocketHandler,
  CLOSE_TIMEOUT,
  HandshakeRefused,
  type SocketOptions,
} from "./socket.ts";

/** Milliseconds within which a server must close the connection after it has refused the handshake. */
const REFUSED_TIMEOUT = 500;
const NO_PAYLOAD = new Uint8Array(0);

/** Opens a WebSocket (RFC 6455) over a byte stream. Throws like `openSocket`. */
export async function openStreamSocket(
  url: URL,
  options: SocketOptions,
  handler: ClientSocketHandler,
): Promise<ClientSocket> {
  const { signal } = options;
  const handshake = await Handshake.create(url, options.headers);
  const opened = Promise.withResolvers<ClientSocket>();
  let socket: StreamSocket | undefined;
  let failure: string | undefined;
  let deadline: ReturnType<typeof setTimeout> | undefined;
  const secure = url.protocol === "https:";
  const stream = await connectStream({
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    secure,
    ca: options.ca,
    signal,
  }, {
    onData(bytes) {
      if (socket !== undefined) return socket.receive(bytes);
      if (failure !== undefined) return;
      const used = handshake.feed(bytes);
      if (typeof used === "string") {
        failure = used;
        // Read the answer to its end. Closing earlier resets the connection, which terminates a Node
        // server that does not handle errors on it (npm sockjs without WebSocket).
        stream.end();
        deadline = setTimeout(() => stream.destroy(), REFUSED_TIMEOUT);
      } else if (used !== undefined) {
        socket = new StreamSocket(stream, options, handler);
        handler.onOpen(socket);
        opened.resolve(socket);
        if (used < bytes.length) socket.receive(bytes.subarray(used));
      }
    },
    onEnd() {
      if (socket !== undefined) return socket.ended();
      clearTimeout(deadline);
      opened.reject(
        signal.aborted
          ? signal.reason
          : new HandshakeRefused(failure ?? handshake.ended(), handshake.status),
      );
    },
  });
  const abort = () => stream.destroy();
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (signal.aborted) abort();
    else stream.write(handshake.requestBytes);
    return await opened.promise;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

class StreamSocket implements ClientSocket, FrameSink {
  readonly #stream: ByteStream;
  readonly #handler: ClientSocketHandler;
  readonly #outgoingBytes: number;
  readonly #encoder = new FrameEncoder();
  readonly #reader: FrameReader;
  #closeSent = false;
  #code = 1006;
  #reason = "the connection was lost";
  #deadline: ReturnType<typeof setTimeout> | undefined;

  constructor(stream: ByteStream, options: SocketOptions, handler: ClientSocketHandler) {
    this.#stream = stream;
    this.#handler = handler;
    this.#outgoingBytes = options.outgoingBytes;
    this.#reader = new FrameReader(options.maxBytes, this);
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

  ping(): void {
    if (!this.#closeSent) this.#stream.write(this.#encoder.control(OPCODE.ping, NO_PAYLOAD));
  }

  close(code: number, reason: string): void {
    if (this.#closeSent) return;
    this.#closeSent = true;
    this.#stream.write(this.#encoder.close(isSendable(code) ? code : 1000, reason));
    this.#deadline = setTimeout(() => this.#stream.destroy(), CLOSE_TIMEOUT);
  }

  terminate(): void {
    this.#closeSent = true;
    this.#reader.stop();
    this.#stream.destroy();
  }

  /** Handles bytes from the stream. */
  receive(bytes: Uint8Array): void {
    this.#handler.onAlive();
    this.#reader.feed(bytes);
  }

  /** Handles the end of the stream. */
  ended(): void {
    clearTimeout(this.#deadline);
    this.#closeSent = true;
    this.#reader.stop();
    this.#handler.onClose(this.#code, this.#reason);
  }

  onText(text: string): void {
    this.#handler.onText(text);
  }

  onPing(payload: Uint8Array): void {
    if (this.#closeSent) return;
    // Pongs for a peer that never reads would use up memory.
    if (this.#stream.bufferedAmount > this.#outgoingBytes) return this.terminate();
    this.#stream.write(this.#encoder.control(OPCODE.pong, payload));
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

  onViolation(code: number, reason: string): void {
    this.#code = code;
    this.#reason = reason;
    this.#handler.onClosing();
    this.close(code, reason);
    this.#stream.end();
  }
}
