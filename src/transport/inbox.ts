import { KiteError } from "../protocol/errors.ts";
import type { Limits } from "../protocol/limits.ts";
import type { CloseInfo, SessionHandler } from "./session.ts";

/** What a message that waits for `attach` costs beside its text. */
const WAITING_COST = 16;

/**
 * The receiving end of a client session: keeps what comes before there is a handler, and tells the
 * handler of the end once.
 */
export class Inbox {
  #handler: SessionHandler | undefined;
  #waiting: string[] = [];
  #waitingLength = 0;
  #stopped = false;
  #dropped = false;
  #end: CloseInfo | undefined;
  readonly #limit: number;
  readonly #fault: (code: number, reason: string) => void;

  /**
   * @param limit characters kept before `attach`.
   * @param fault ends the session: the handler threw (1011), or too much came before `attach` (1008).
   */
  constructor(limit: number, fault: (code: number, reason: string) => void) {
    this.#limit = limit;
    this.#fault = fault;
  }

  /** See `Session.attach`. */
  attach(handler: SessionHandler): void {
    if (this.#handler !== undefined) {
      throw new KiteError("configError", "this session already has a handler; attach only once");
    }
    this.#handler = handler;
    const waiting = this.#waiting;
    this.#waiting = [];
    // What came before the peer ended the session still comes, then its end.
    for (const message of waiting) {
      if (this.#dropped) break;
      this.#hand(handler, message);
    }
    if (this.#end !== undefined) this.#tellEnd(handler, this.#end);
  }

  /** One message from the peer. */
  deliver(message: string): void {
    if (this.#stopped) return;
    if (this.#handler !== undefined) return this.#hand(this.#handler, message);
    this.#waitingLength += message.length + WAITING_COST;
    if (this.#waitingLength > this.#limit) {
      return this.#fault(1008, "too many messages before anyone listened");
    }
    this.#waiting.push(message);
  }

  /** Takes no further messages. */
  stop(): void {
    this.#stopped = true;
  }

  /** Lets nothing more through but the end. */
  drop(): void {
    this.#stopped = true;
    this.#dropped = true;
    this.#waiting = [];
  }

  /** The end; only the first counts. */
  end(info: CloseInfo): void {
    if (this.#end !== undefined) return;
    this.#stopped = true;
    this.#end = info;
    if (this.#handler !== undefined) this.#tellEnd(this.#handler, info);
  }

  #hand(handler: SessionHandler, message: string): void {
    try {
      handler.onMessage(message);
    } catch {
      this.#fault(1011, "the handler of a message failed");
    }
  }

  /** Never within the user's own call: a handler need not be ready to be called back from it. */
  #tellEnd(handler: SessionHandler, info: CloseInfo): void {
    queueMicrotask(() => {
      try {
        handler.onClose(info);
      } catch {
        this.#fault(1011, "the handler of the end failed");
      }
    });
  }
}

/** The longest frame to read: JSON in JSON may double a message, and small ones share a frame. */
export function frameBytes({ messageBytes }: Pick<Limits, "messageBytes">): number {
  return 2 * messageBytes + 65_536;
}
