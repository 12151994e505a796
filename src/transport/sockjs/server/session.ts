import { KiteError } from "../../../protocol/errors.ts";
import type { Limits } from "../../../protocol/limits.ts";
import { closeInfo } from "../../close_code.ts";
import { hasLongMessage, type Message, sizeOf } from "../../message.ts";
import type { EncodedText } from "../../encoded_text.ts";
import { Outbox } from "../../outbox.ts";
import type { CloseInfo, Session, SessionHandler, TransportName } from "../../session.ts";
import { frameLimit, type IncomingBytes } from "./incoming_bytes.ts";

/** The default reason of a server to end a session (SockJS 0.3.3). */
export const GO_AWAY: CloseInfo = Object.freeze({ code: 3000, reason: "Go away!" });

const SLOW_READER: CloseInfo = Object.freeze({ code: 1013, reason: "Slow reader" });
const MESSAGE_TOO_BIG: CloseInfo = Object.freeze({ code: 1009, reason: "Message too big" });
const NO_HANDLER: CloseInfo = Object.freeze({ code: 1008, reason: "Too many messages" });
const HANDLER_FAILED: CloseInfo = Object.freeze({ code: 1011, reason: "Internal error" });

/** Memory of a message that waits for {@linkcode Session.attach}, in addition to its text. */
const EARLY_MESSAGE_COST = 16;

/** The parts of a server that its sessions use. */
export interface SessionHost {
  readonly limits: Limits;
  /** Counts the bytes of incomplete messages. */
  readonly incoming: IncomingBytes;
  /** Milliseconds without traffic after which a heartbeat is sent; 0 for none. */
  readonly heartbeat: number;
  /** Milliseconds until an HTTP session without a receiver ends. */
  readonly disconnectDelay: number;
  /** Bytes after which a streaming response ends. */
  readonly responseLimit: number;
  /** A monotonic clock, milliseconds. It is updated by each sweep. */
  readonly now: number;
  /** Called when the client no longer has a request that waits for frames. */
  left(session: ServerSession): void;
  /** Called when the client has a waiting request again. */
  returned(session: ServerSession): void;
  /** Called when the session has ended. */
  over(session: ServerSession): void;
  /** Called when a handler of the user throws. */
  failed(error: unknown, session: Session): void;
}

/** The base of all server sessions. It implements the contract of {@linkcode Session}. */
export abstract class ServerSession implements Session {
  abstract readonly transport: TransportName;
  readonly remoteAddress: string;
  protected readonly host: SessionHost;
  /** When a frame was last sent, by the host's clock. */
  protected lastSent: number;
  readonly #outbox: Outbox = new Outbox((messages) => this.#flush(messages));
  #queued = 0;
  #handler: SessionHandler | undefined;
  #early: Message[] | undefined;
  #earlyCost = 0;
  #ending: CloseInfo | undefined;
  #over = false;

  constructor(host: SessionHost, remoteAddress: string) {
    this.host = host;
    this.remoteAddress = remoteAddress;
    this.lastSent = host.now;
  }

  get isOpen(): boolean {
    return this.#ending === undefined;
  }

  /** True if the session has ended in both directions. */
  get isOver(): boolean {
    return this.#over;
  }

  get bufferedAmount(): number {
    return this.#queued + this.unsent;
  }

  attach(handler: SessionHandler): void {
    if (this.#handler !== undefined) {
      throw new KiteError("configError", "Cannot attach a handler: the session already has one");
    }
    this.#handler = handler;
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) this.#handOver(handler, early);
    if (this.#over) this.#announceEnd(handler);
  }

  send(message: string): void {
    if (this.#ending !== undefined) return;
    this.#queued += message.length;
    if (this.#queued > this.host.limits.outgoingBytes) {
      this.#drop(SLOW_READER);
    } else {
      this.#outbox.push(message);
    }
  }

  sendEscaped(escaped: EncodedText): void {
    if (this.#ending !== undefined) return;
    this.#outbox.flush();
    if (this.unsent + escaped.byteLength > this.host.limits.outgoingBytes) {
      this.#drop(SLOW_READER);
    } else {
      this.lastSent = this.host.now;
      this.writeEscaped(escaped);
    }
  }

  close(code?: number, reason?: string): void {
    this.stop(closeInfo(code, reason));
  }

  /** Ends the session from our side, after the messages that were sent before. */
  stop(info: CloseInfo): void {
    if (this.#ending !== undefined) return;
    this.#ending = info;
    this.#outbox.flush();
    this.shut(info);
  }

  /** Sends due heartbeats and handles expired deadlines. Called by each sweep. */
  abstract sweep(now: number): void;

  /** Ends the session without waiting for the peer. */
  abstract abandon(): void;

  /** Bytes (estimated) written that the network has not accepted yet. */
  protected abstract get unsent(): number;

  /** Writes the messages of one turn. */
  protected abstract write(messages: readonly string[]): void;

  /** Writes a message that is already escaped. */
  protected writeEscaped(escaped: EncodedText): void {
    this.write([JSON.parse(`"${escaped}"`)]);
  }

  /** Starts closing. The implementation must call {@linkcode finish} afterwards. */
  protected abstract shut(info: CloseInfo): void;

  /** Discards the data that waits to be written. */
  protected abstract discard(): void;

  /** How the session ends; undefined while it is open. */
  protected get ending(): CloseInfo | undefined {
    return this.#ending;
  }

  /**
   * Delivers messages of the peer to the user.
   *
   * @returns false if one exceeds the limit, which ends the session
   */
  protected deliver(frame: string, messages: readonly Message[]): boolean {
    if (hasLongMessage(frame, messages, this.host.limits.messageBytes)) {
      this.refuse();
      return false;
    }
    const handler = this.#handler;
    if (handler === undefined) {
      this.#keep(messages);
    } else {
      this.#handOver(handler, messages);
    }
    return true;
  }

  /** Ends the session because a message of the peer exceeds the limit. */
  protected refuse(): void {
    this.stop(MESSAGE_TOO_BIG);
  }

  /**
   * The session carries nothing any more.
   *
   * @param info how it ended, unless its end had begun before
   */
  protected finish(info: CloseInfo): void {
    if (this.#over) return;
    this.#ending ??= info;
    this.#outbox.clear();
    this.#queued = 0;
    this.#over = true;
    this.host.over(this);
    if (this.#handler !== undefined) this.#announceEnd(this.#handler);
  }

  /** Runs code of the user. If it throws, only this session ends. */
  guard(userCode: () => void): void {
    try {
      userCode();
    } catch (error) {
      this.#fail(error);
    }
  }

  #handOver(handler: SessionHandler, messages: readonly Message[]): void {
    try {
      for (const message of messages) {
        if (this.#ending !== undefined) return;
        handler.onMessage(message);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #keep(messages: readonly Message[]): void {
    if (this.#ending !== undefined) return;
    this.#early ??= [];
    for (const message of messages) {
      this.#earlyCost += sizeOf(message, Infinity) + EARLY_MESSAGE_COST;
      if (this.#earlyCost > frameLimit(this.host.limits)) {
        this.#early = undefined;
        this.stop(NO_HANDLER);
        return;
      }
      this.#early.push(message);
    }
  }

  #fail(error: unknown): void {
    this.stop(HANDLER_FAILED);
    this.host.failed(error, this);
  }

  #flush(messages: readonly string[]): void {
    const queued = this.#queued;
    this.#queued = 0;
    if (this.#ending === undefined && this.unsent + queued > this.host.limits.outgoingBytes) {
      this.#drop(SLOW_READER);
      return;
    }
    this.lastSent = this.host.now;
    this.write(messages);
  }

  #drop(info: CloseInfo): void {
    this.#queued = 0;
    this.#outbox.clear();
    this.discard();
    this.stop(info);
  }

  /** Calls `onClose` asynchronously, never from inside a call of the user. */
  #announceEnd(handler: SessionHandler): void {
    queueMicrotask(() => this.guard(() => handler.onClose(this.#ending ?? GO_AWAY)));
  }
}
