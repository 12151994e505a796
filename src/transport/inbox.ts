import { KiteError } from "../protocol/errors.ts";
import type { Limits } from "../protocol/limits.ts";
import { type Message, sizeOf } from "./message.ts";
import type { CloseInfo, SessionHandler } from "./session.ts";

/** Memory of a message that waits for `attach`, in addition to its text. */
const WAITING_COST = 16;

/**
 * The receiving side of a client session. It keeps messages until there is a handler, and reports the
 * end to the handler once.
 */
export class Inbox {
  #handler: SessionHandler | undefined;
  #waiting: Message[] = [];
  #waitingLength = 0;
  #stopped = false;
  #dropped = false;
  #end: CloseInfo | undefined;
  readonly #limit: number;
  readonly #fault: (code: number, reason: string) => void;

  /**
   * @param limit maximum characters kept before `attach`
   * @param fault closes the session if the handler throws (1011) or too many messages arrive before
   * `attach` (1008)
   */
  constructor(limit: number, fault: (code: number, reason: string) => void) {
    this.#limit = limit;
    this.#fault = fault;
  }

  /** See `Session.attach`. */
  attach(handler: SessionHandler): void {
    if (this.#handler !== undefined) {
      throw new KiteError("configError", "Cannot attach a handler: the session already has one");
    }
    this.#handler = handler;
    const waiting = this.#waiting;
    this.#waiting = [];
    // Messages received before the end are delivered first.
    for (const message of waiting) {
      if (this.#dropped) break;
      this.#hand(handler, message);
    }
    if (this.#end !== undefined) this.#tellEnd(handler, this.#end);
  }

  /** Delivers a message from the peer. */
  deliver(message: Message): void {
    if (this.#stopped) return;
    if (this.#handler !== undefined) return this.#hand(this.#handler, message);
    this.#waitingLength += sizeOf(message, Infinity) + WAITING_COST;
    if (this.#waitingLength > this.#limit) {
      return this.#fault(1008, "too many messages before attach");
    }
    this.#waiting.push(message);
  }

  /** Ignores further messages. */
  stop(): void {
    this.#stopped = true;
  }

  /** Discards all messages that are not delivered yet. */
  drop(): void {
    this.#stopped = true;
    this.#dropped = true;
    this.#waiting = [];
  }

  /** Reports the end; further calls are ignored. */
  end(info: CloseInfo): void {
    if (this.#end !== undefined) return;
    this.#stopped = true;
    this.#end = info;
    if (this.#handler !== undefined) this.#tellEnd(this.#handler, info);
  }

  #hand(handler: SessionHandler, message: Message): void {
    try {
      handler.onMessage(message);
    } catch {
      this.#fault(1011, "the message handler failed");
    }
  }

  /** Calls `onClose` asynchronously, never from inside a call of the user. */
  #tellEnd(handler: SessionHandler, info: CloseInfo): void {
    queueMicrotask(() => {
      try {
        handler.onClose(info);
      } catch {
        this.#fault(1011, "the close handler failed");
      }
    });
  }
}

/** Returns the maximum frame size. JSON in JSON may double a message, and small ones share a frame. */
export function frameBytes({ messageBytes }: Pick<Limits, "messageBytes">): number {
  return 2 * messageBytes + 65_536;
}
