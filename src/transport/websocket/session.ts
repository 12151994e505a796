import type { Limits } from "../../protocol/limits.ts";
import { hasLongMessage, type Message } from "../message.ts";
import type { Frame } from "../sockjs/frames.ts";
import { Outbox } from "../outbox.ts";
import type { CloseInfo, Session, SessionHandler, TransportName } from "../session.ts";
import { closeInfo } from "../close_code.ts";
import { frameBytes, Inbox } from "../inbox.ts";
import { LifeSigns } from "../life_signs.ts";
import {
  HandshakeRefused,
  type MessageSocket,
  type OpenSocket,
  type SocketHandler,
} from "./socket.ts";
import { displayUrl } from "../url.ts";

/** Encodes messages as text messages of a WebSocket, and decodes them. */
export interface Framing {
  readonly transport: TransportName;
  /** True if the session is open as soon as the WebSocket is. */
  readonly opensAtOnce: boolean;
  /** Encodes the messages of one turn, and calls `write` for each text. */
  encode(messages: readonly string[], write: (text: string) => void): void;
  /** Decodes a text; `undefined` if it is malformed. */
  decode(text: string): Frame | undefined;
}

/** Options of {@linkcode dialWebSocket}. */
export interface WebSocketDial {
  readonly openSocket: OpenSocket;
  readonly headers: Headers;
  readonly idleTimeout: number;
  /** Certificates of private authorities, PEM. */
  readonly ca: readonly string[];
  readonly limits: Pick<Limits, "messageBytes" | "outgoingBytes">;
  /** Aborts the attempt. */
  readonly signal: AbortSignal;
}

/**
 * Dials a session over one WebSocket.
 *
 * @throws {HandshakeRefused} if the server has no WebSocket at the URL, or closes it before the session
 * has opened; otherwise like {@linkcode OpenSocket}.
 */
export async function dialWebSocket(
  url: URL,
  framing: Framing,
  dial: WebSocketDial,
): Promise<Session> {
  const session = new WebSocketClientSession(framing, dial);
  const { signal, limits } = dial;
  const socket = await dial.openSocket(url, {
    headers: dial.headers,
    ca: dial.ca,
    maxBytes: frameBytes(limits),
    outgoingBytes: limits.outgoingBytes,
    signal,
  }, session);
  const abort = () => socket.terminate();
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (signal.aborted) abort();
    const end = await session.opened;
    if (signal.aborted) throw signal.reason;
    if (end !== undefined) {
      throw new HandshakeRefused(
        `Cannot open a session at ${displayUrl(url)}: it was closed: ${end.code} ${end.reason}`,
      );
    }
    return session;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

class WebSocketClientSession implements Session, SocketHandler {
  readonly #framing: Framing;
  readonly #messageBytes: number;
  readonly #outgoingBytes: number;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #life: LifeSigns;
  readonly #opened = Promise.withResolvers<CloseInfo | undefined>();
  readonly #write = (text: string): void => this.#socket?.send(text);
  #socket: MessageSocket | undefined;
  #open = false;
  /** Characters in the outbox. */
  #queued = 0;
  /** How the session ends. A reason of our own takes precedence over that of the socket. */
  #end: CloseInfo | undefined;

  constructor(framing: Framing, { idleTimeout, limits }: WebSocketDial) {
    this.#framing = framing;
    this.#messageBytes = limits.messageBytes;
    this.#outgoingBytes = limits.outgoingBytes;
    this.#outbox = new Outbox((messages) => {
      this.#queued = 0;
      this.#framing.encode(messages, this.#write);
    });
    this.#inbox = new Inbox(limits.outgoingBytes, (code, reason) => this.close(code, reason));
    this.#life = new LifeSigns(
      idleTimeout,
      () => this.#socket?.ping(),
      () => this.#lose("the peer was silent for too long"),
    );
  }

  /** Resolves once the session is open. If it closes before, resolves with how it ended. */
  get opened(): Promise<CloseInfo | undefined> {
    return this.#opened.promise;
  }

  get transport(): TransportName {
    return this.#framing.transport;
  }

  get remoteAddress(): string {
    return this.#socket?.remoteAddress ?? "";
  }

  get isOpen(): boolean {
    return this.#open;
  }

  get bufferedAmount(): number {
    return this.#queued + (this.#socket?.bufferedAmount ?? 0);
  }

  attach(handler: SessionHandler): void {
    this.#inbox.attach(handler);
  }

  send(message: string): void {
    if (!this.#open) return;
    this.#queued += message.length;
    if (this.bufferedAmount > this.#outgoingBytes) {
      this.#outbox.clear();
      return this.close(1013, "the peer reads too slowly");
    }
    this.#outbox.push(message);
  }

  close(code?: number, reason?: string): void {
    const end = closeInfo(code, reason);
    if (this.#end !== undefined) return;
    this.#outbox.flush();
    this.#finish(end);
    this.#inbox.drop();
    this.#socket?.close(end.code, end.reason);
  }

  onOpen(socket: MessageSocket): void {
    this.#socket = socket;
    this.#life.start();
    if (this.#framing.opensAtOnce) this.#begin();
  }

  onAlive(): void {
    this.#life.heard();
  }

  onText(text: string): void {
    if (this.#end !== undefined) return;
    const incoming = this.#framing.decode(text);
    switch (incoming?.type) {
      case undefined:
        return this.close(1002, "broken frame");
      case "open":
        return this.#begin();
      case "heartbeat":
        return;
      case "close":
        this.#finish({ code: incoming.code, reason: incoming.reason });
        this.#socket?.close(1000, "");
        return;
      case "messages":
        this.#begin();
        return this.#deliver(text, incoming.messages);
    }
  }

  onClosing(): void {
    this.#open = false;
    this.#inbox.stop();
    this.#outbox.clear();
  }

  onClose(code: number, reason: string): void {
    this.#open = false;
    this.#life.stop();
    this.#outbox.clear();
    this.#queued = 0;
    const end = this.#end ??= { code: code === 1005 ? 1000 : code, reason };
    this.#opened.resolve(end);
    this.#inbox.end(end);
  }

  #begin(): void {
    if (this.#open || this.#end !== undefined) return;
    this.#open = true;
    this.#opened.resolve(undefined);
  }

  #deliver(frame: string, messages: readonly Message[]): void {
    if (hasLongMessage(frame, messages, this.#messageBytes)) {
      return this.close(1009, "message too long");
    }
    for (const message of messages) {
      this.#inbox.deliver(message);
      if (this.#end !== undefined) return;
    }
  }

  #finish(end: CloseInfo): void {
    this.#end = end;
    this.#open = false;
    this.#life.stop();
    this.#inbox.stop();
  }

  #lose(reason: string): void {
    this.#finish({ code: 1006, reason });
    this.#socket?.terminate();
  }
}
