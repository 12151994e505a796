import type { Limits } from "../protocol/limits.ts";
import { afterOthers, afterTurn } from "../runtime/turn.ts";
import type { Message } from "../transport/message.ts";
import type { CloseInfo } from "../transport/session.ts";
import type { InFlight } from "./in_flight.ts";

/** Work that one session may cause in one turn of the event loop, see {@linkcode costOf}. */
export const TURN_CREDIT = 1_024;

/** Milliseconds for which waiting messages are handled in one turn. */
const SLICE = 2;
/** Work after which the clock is read again. */
const SLICE_CREDIT = 64;

/** Returns the work of one message: 1, and 1 more for every 4,096 characters. */
export function costOf(size: number): number {
  return 1 + (size >> 12);
}

/** Handles the messages of a {@linkcode Backlog}. */
export interface BacklogHost {
  /** Handles the next message. */
  handle(message: Message, size: number): void;
  /** Called after the last message; `end` is set if the session has ended meanwhile. */
  done(end: CloseInfo | undefined): void;
}

/**
 * The messages of a session that has used up its work for one turn. They are handled in later
 * turns, in order, so that one frame of many messages does not block other sessions.
 */
export class Backlog {
  readonly #host: BacklogHost;
  readonly #limits: Limits;
  readonly #inFlight: InFlight;
  #messages: Message[] = [];
  /** The size of each. */
  #sizes: number[] = [];
  #next = 0;
  #end: CloseInfo | undefined;

  constructor(host: BacklogHost, limits: Limits, inFlight: InFlight) {
    this.#host = host;
    this.#limits = limits;
    this.#inFlight = inFlight;
    // Usually no further message arrives in this turn, and the backlog ends immediately.
    afterTurn(this.#drain);
  }

  /**
   * Adds a message.
   *
   * @returns false when too many wait
   */
  add(message: Message, size: number): boolean {
    const isFull = this.#messages.length - this.#next >= this.#limits.queuedMessages;
    if (isFull || !this.#inFlight.hasRoom(size)) return false;
    this.#inFlight.add(size);
    this.#messages.push(message);
    this.#sizes.push(size);
    return true;
  }

  /**
   * Handles the end of the session: {@linkcode BacklogHost.done} is called after the last message.
   */
  end(info: CloseInfo): void {
    this.#end ??= info;
  }

  /** Discards the messages. */
  clear(): void {
    for (; this.#next < this.#messages.length; this.#next++) {
      this.#inFlight.remove(this.#sizes[this.#next]!);
    }
  }

  readonly #drain = (): void => {
    const end = performance.now() + SLICE;
    for (let credit = SLICE_CREDIT; this.#next < this.#messages.length;) {
      const message = this.#messages[this.#next]!;
      const size = this.#sizes[this.#next]!;
      this.#messages[this.#next++] = "";
      this.#inFlight.remove(size);
      this.#host.handle(message, size);
      if ((credit -= costOf(size)) > 0) continue;
      if (performance.now() < end) credit = SLICE_CREDIT;
      else return this.#pause();
    }
    this.#host.done(this.#end);
  };

  #pause(): void {
    if (this.#next * 2 > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#next);
      this.#sizes = this.#sizes.slice(this.#next);
      this.#next = 0;
    }
    afterOthers(this.#drain);
  }
}
