import { afterTurn } from "../runtime/turn.ts";

/**
 * Gathers the messages of one turn, so that they leave as one frame.
 *
 * The first message of a turn schedules the flush for the end of that turn: after every microtask
 * and every message that the event loop had ready, before it waits for new ones.
 */
export class Outbox {
  #messages: string[] = [];
  #scheduled = false;
  readonly #write: (messages: string[]) => void;
  readonly #flush = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /** @param write takes the messages of one turn, at least one; called once a turn. */
  constructor(write: (messages: string[]) => void) {
    this.#write = write;
  }

  /** Messages not yet flushed. */
  get length(): number {
    return this.#messages.length;
  }

  /** Adds one message to this turn's. */
  push(message: string): void {
    this.#messages.push(message);
    if (this.#scheduled) return;
    this.#scheduled = true;
    afterTurn(this.#flush);
  }

  /** Writes what there is at once; a no-op when there is nothing. */
  flush(): void {
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    this.#messages = [];
    this.#write(messages);
  }

  /** Forgets what was not flushed. */
  clear(): void {
    this.#messages = [];
  }
}
