import { afterTurn } from "../runtime/turn.ts";

/**
 * The number of messages that are sent before the end of the turn, so that the peer can begin to
 * handle them. With 512 calls in flight, this makes half as many calls again possible.
 */
const MOST_MESSAGES = 128;

/**
 * Collects the messages of one turn of the event loop, so that they are sent as few frames.
 *
 * The first message of a turn schedules a flush at its end: after all microtasks and pending events,
 * before the event loop waits for new ones.
 */
export class Outbox {
  #messages: string[] = [];
  #scheduled = false;
  readonly #write: (messages: string[]) => void;
  readonly #mostMessages: number;
  readonly #flush = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /**
   * @param write sends messages of one turn, at least one
   * @param mostMessages the number of messages that are sent before the end of the turn
   */
  constructor(write: (messages: string[]) => void, mostMessages: number = MOST_MESSAGES) {
    this.#write = write;
    this.#mostMessages = mostMessages;
  }

  /** The number of messages not flushed yet. */
  get length(): number {
    return this.#messages.length;
  }

  /** Adds a message, to be sent at the end of this turn at the latest. */
  push(message: string): void {
    this.#messages.push(message);
    if (this.#messages.length >= this.#mostMessages) this.flush();
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
