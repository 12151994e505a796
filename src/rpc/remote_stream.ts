import type { Callback } from "../dnode/scrub.ts";
import { KiteError } from "../protocol/errors.ts";
import { readError } from "./answer.ts";

/** How a {@linkcode RemoteStream} is bounded and connected. */
export interface RemoteStreamOptions {
  /** Items that may be on their way or wait to be taken, at most. */
  readonly streamWindow: number;
  /** Hands functions over in every call, see {@linkcode StreamObject}. */
  readonly pull: Callback;
  readonly cancel: Callback;
  /** The stream has ended: the functions of both sides can be forgotten. */
  readonly onEnd: (stream: RemoteStream<unknown>, functions: readonly Callback[]) => void;
}

interface Waiter {
  resolve(result: IteratorResult<unknown>): void;
  reject(error: KiteError): void;
}

const DONE: IteratorResult<unknown> = Object.freeze({ done: true, value: undefined });

/**
 * The items that a remote streams to us. Iterate it once; leaving the loop ends the stream at the
 * remote. At most `streamWindow` items are in flight, so a slow loop holds the remote.
 *
 * @typeParam Item what the remote sends
 */
export class RemoteStream<Item> implements AsyncIterableIterator<Item>, AsyncDisposable {
  readonly #options: RemoteStreamOptions;
  #items: unknown[] = [];
  #head = 0;
  /** Items that the remote may still send. */
  #credit = 0;
  /** Items taken since credit was last given. */
  #taken = 0;
  #isStarted = false;
  #isEnded = false;
  #error: KiteError | undefined;
  readonly #waiters: Waiter[] = [];

  /** Created where a message brings a stream. */
  constructor(options: RemoteStreamOptions) {
    this.#options = options;
  }

  /** The stream itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next item. Rejects with the remote's error, or with `disconnect`. */
  next(): Promise<IteratorResult<Item>> {
    if (!this.#isStarted) this.#start();
    return this.#take() as Promise<IteratorResult<Item>>;
  }

  /** Ends the stream. */
  return(): Promise<IteratorResult<Item>> {
    if (!this.#isEnded) {
      this.#options.cancel();
      this.#finish(undefined);
    }
    this.#items = [];
    this.#head = 0;
    this.#error = undefined;
    return Promise.resolve(DONE as IteratorResult<Item>);
  }

  /** Ends the stream. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** The connection is gone, or the remote broke the rules. Items that came before can be taken. */
  fail(error: KiteError): void {
    if (!this.#isEnded) this.#finish(error);
  }

  #start(): void {
    this.#isStarted = true;
    if (this.#isEnded) return;
    this.#credit = this.#options.streamWindow;
    this.#options.pull(this.#credit, this.#receive, this.#receiveEnd);
  }

  #take(): Promise<IteratorResult<unknown>> {
    if (this.#head < this.#items.length) {
      const value = this.#items[this.#head];
      this.#items[this.#head++] = undefined;
      if (this.#head === this.#items.length) {
        this.#items = [];
        this.#head = 0;
      }
      this.#topUp();
      return Promise.resolve({ done: false, value });
    }
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#isEnded) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  #topUp(): void {
    if (++this.#taken < this.#options.streamWindow / 2 || this.#isEnded) return;
    const credit = this.#taken;
    this.#taken = 0;
    this.#credit += credit;
    this.#options.pull(credit);
  }

  readonly #receive = (...items: unknown[]): void => {
    if (this.#isEnded) return;
    if (items.length > this.#credit) {
      this.#options.cancel();
      return this.#finish(
        new KiteError("limitError", "Cannot read the stream: the remote sent more than was asked"),
      );
    }
    this.#credit -= items.length;
    let first = 0;
    for (; first < items.length && this.#waiters.length > 0; first++) {
      this.#waiters.shift()!.resolve({ done: false, value: items[first] });
      this.#topUp();
    }
    if (first === items.length) return;
    const rest = first === 0 ? items : items.slice(first);
    if (this.#head === this.#items.length) {
      this.#items = rest;
      this.#head = 0;
    } else {
      for (const item of rest) this.#items.push(item);
    }
  };

  readonly #receiveEnd = (error: unknown): void => {
    if (this.#isEnded) return;
    this.#finish(error === null || error === undefined ? undefined : readError(error));
  };

  #finish(error: KiteError | undefined): void {
    this.#isEnded = true;
    this.#error = error;
    for (const waiter of this.#waiters.splice(0)) {
      if (this.#error === undefined) waiter.resolve(DONE);
      else {
        waiter.reject(this.#error);
        this.#error = undefined;
      }
    }
    this.#options.onEnd(this, [this.#receive, this.#receiveEnd]);
  }
}
