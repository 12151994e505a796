import { afterTurn } from "../runtime/turn.ts";

/**
 * Collects the messages of one turn of the event loop, so that they are sent as one frame.
 *
 * The first message of a turn schedules a flush at its end: after all microtasks and pending events,
 * before the event loop waits for new ones.
 */
export class Outbox {
  #messages: string[] = [];
  #scheduled = false;
  readonly #write: (messages: string[]) => void;
  readonly #flush = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /** @param write sends the messages of one turn, at least one; called once per turn. */
  constructor(write: (messages: string[]) => void) {
    this.#write = write;
  }

  /** The number of messages not flushed yet. */
  get length(): number {
    return this.#messages.length;
  }

  /** Adds a message, to be sent at the end of this turn. */
  push(message: string): void {
    this.#messages.push(message);
    if (this.#scheduled) return;
    this.#scheduled = true;
    afterTurn(this.#flush);
  }

  /** Sends the collected messages immediately, if there are any. */
  flush(): void {
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    this.#messages = [];
    this.#write(messages);
  }

  /** Discards the collected messages. */
  clear(): void {
    this.#messages = [];
  }
}
