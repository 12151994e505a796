import { KiteError } from "../../../protocol/errors.ts";
import type { Limits } from "../../../protocol/limits.ts";
import { exceedsBytes } from "../../byte_length.ts";
import { closeInfo } from "../../close_code.ts";
import { Outbox } from "../../outbox.ts";
import type { CloseInfo, Session, SessionHandler, TransportName } from "../../session.ts";

/** How a server ends a session when nobody says otherwise (SockJS 0.3.3). */
export const GO_AWAY: CloseInfo = Object.freeze({ code: 3000, reason: "Go away!" });

const SLOW_READER: CloseInfo = Object.freeze({ code: 1013, reason: "Slow reader" });
const MESSAGE_TOO_BIG: CloseInfo = Object.freeze({ code: 1009, reason: "Message too big" });
const NOBODY_LISTENS: CloseInfo = Object.freeze({ code: 1008, reason: "Too many messages" });
const HANDLER_FAILED: CloseInfo = Object.freeze({ code: 1011, reason: "Internal error" });

/** What a message that waits for {@linkcode Session.attach} costs beside its text. */
const EARLY_MESSAGE_COST = 16;

/** What a session needs of the server that keeps it. */
export interface SessionHost {
  readonly limits: Limits;
  /** Milliseconds without traffic after which a heartbeat is sent; 0 for none. */
  readonly heartbeat: number;
  /** Milliseconds a session of the HTTP transports lives without a receiver. */
  readonly disconnectDelay: number;
  /** Bytes after which a streaming response is ended. */
  readonly responseLimit: number;
  /** A monotonic clock in milliseconds, as of the last sweep: never ahead, behind by one sweep at most. */
  readonly now: number;
  /** No request of the client waits for frames any more. */
  left(session: ServerSession): void;
  /** A request of the client waits for frames again. */
  returned(session: ServerSession): void;
  /** The session is over: its user has been, or is about to be, told. */
  over(session: ServerSession): void;
  /** A user's handler threw. */
  failed(error: unknown, session: Session): void;
}

/** The bytes of one frame, or of the body of one upstream request, beyond which it is not parsed. */
export function frameLimit(limits: Limits): number {
  return 2 * limits.messageBytes; // a message doubles at most when its quotes are escaped
}

/** What the sessions of every transport have in common: the contract of {@linkcode Session}. */
export abstract class ServerSession implements Session {
  abstract readonly transport: TransportName;
  readonly remoteAddress: string;
  protected readonly host: SessionHost;
  /** When something was last sent, by the host's clock. */
  protected lastSent: number;
  readonly #outbox: Outbox = new Outbox((messages) => this.#flush(messages));
  #queued = 0;
  #handler: SessionHandler | undefined;
  #early: string[] | undefined;
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

  /** True when the session carries nothing any more, in no direction. */
  get isOver(): boolean {
    return this.#over;
  }

  get bufferedAmount(): number {
    return this.#queued + this.unsent;
  }

  attach(handler: SessionHandler): void {
    if (this.#handler !== undefined) {
      throw new KiteError("configError", "this session already has a handler; attach only once");
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

  sendEscaped(escaped: string): void {
    if (this.#ending !== undefined) return;
    this.#outbox.flush();
    if (this.unsent + escaped.length > this.host.limits.outgoingBytes) {
      this.#drop(SLOW_READER);
    } else {
      this.lastSent = this.host.now;
      this.writeEscaped(escaped);
    }
  }

  close(code?: number, reason?: string): void {
    this.stop(closeInfo(code, reason));
  }

  /** Ends the session from our side, after what was sent before. */
  stop(info: CloseInfo): void {
    if (this.#ending !== undefined) return;
    this.#ending = info;
    this.#outbox.flush();
    this.shut(info);
  }

  /** Looks at what time has brought: heartbeats, waits that are over. Called every sweep. */
  abstract sweep(now: number): void;

  /** Gives up waiting for the peer. */
  abstract abandon(): void;

  /** Bytes (estimated) written by us and not yet by the network. */
  protected abstract get unsent(): number;

  /** Writes the messages of one turn. */
  protected abstract write(messages: readonly string[]): void;

  /** Writes one message that was escaped beforehand. */
  protected writeEscaped(escaped: string): void {
    this.write([JSON.parse(`"${escaped}"`)]);
  }

  /** Says farewell to the peer; what follows must lead to {@linkcode finish}. */
  protected abstract shut(info: CloseInfo): void;

  /** Forgets what waits to be written. */
  protected abstract discard(): void;

  /** The end as it has begun, from either side. */
  protected get ending(): CloseInfo | undefined {
    return this.#ending;
  }

  /**
   * Hands messages of the peer to the user.
   *
   * @returns false when one is over the limit, which ends the session
   */
  protected deliver(messages: readonly string[]): boolean {
    const limit = this.host.limits.messageBytes;
    for (const message of messages) {
      if (exceedsBytes(message, limit)) {
        this.refuse();
        return false;
      }
    }
    const handler = this.#handler;
    if (handler === undefined) {
      this.#keep(messages);
    } else {
      this.#handOver(handler, messages);
    }
    return true;
  }

  /** Ends the session because the peer's message is over the limit. */
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

  /** Runs a piece of the user's code: what it throws ends this session and nothing else. */
  guard(userCode: () => void): void {
    try {
      userCode();
    } catch (error) {
      this.#fail(error);
    }
  }

  #handOver(handler: SessionHandler, messages: readonly string[]): void {
    try {
      for (const message of messages) {
        if (this.#ending !== undefined) return;
        handler.onMessage(message);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #keep(messages: readonly string[]): void {
    if (this.#ending !== undefined) return;
    this.#early ??= [];
    for (const message of messages) {
      this.#earlyCost += message.length + EARLY_MESSAGE_COST;
      if (this.#earlyCost > frameLimit(this.host.limits)) {
        this.#early = undefined;
        this.stop(NOBODY_LISTENS);
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

  /** Never within the user's own call: a handler need not be ready to be called back from `close`. */
  #announceEnd(handler: SessionHandler): void {
    queueMicrotask(() => this.guard(() => handler.onClose(this.#ending ?? GO_AWAY)));
  }
}
