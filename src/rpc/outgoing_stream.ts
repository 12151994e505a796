import type { Callback } from "../dnode/scrub.ts";
import type { ErrorObject } from "../protocol/errors.ts";
import { KiteError } from "../protocol/errors.ts";
import { afterTurn } from "../runtime/turn.ts";
import { errorObject } from "./answer.ts";

/** A stream as it travels: two functions, which a peer without streams can call as well. */
export interface StreamObject {
  readonly $stream: 1;
  /** Allows more items; the first call also hands over the functions for the items and for the end. */
  readonly pull: Callback;
  /** Ends the stream: the consumer has left. */
  readonly cancel: Callback;
}

/** How an {@linkcode OutgoingStream} is bounded and connected. */
export interface OutgoingStreamOptions {
  /** Bytes of items that the consumer has not yet taken, at most. */
  readonly streamBytes: number;
  /** Items that a consumer may allow in advance, at most. */
  readonly streamItems: number;
  /**
   * Calls a function of the consumer.
   *
   * @returns the bytes of the message
   */
  readonly invoke: (callback: Callback, args: readonly unknown[]) => number;
  /** The stream has ended: its functions can be forgotten. */
  readonly onEnd: (stream: OutgoingStream) => void;
}

/** Items in one message, at most. */
const BATCH_ITEMS = 512;

interface Batch {
  items: number;
  readonly bytes: number;
}

/**
 * Sends the items of an async iterable to a remote, as many as the remote allows. The iterable is
 * asked for the next item only while there is credit, so a slow consumer holds the producer.
 */
export class OutgoingStream {
  /** What stands in the message in place of the iterable. */
  readonly wire: StreamObject;
  readonly #iterator: AsyncIterator<unknown>;
  readonly #options: OutgoingStreamOptions;
  #next: Callback | undefined;
  #end: Callback | undefined;
  #credit = 0;
  /** Items gathered for one message. */
  #batch: unknown[] = [];
  #isFlushScheduled = false;
  /** What was sent and not yet taken, oldest first. */
  #sent: Batch[] = [];
  #sentBytes = 0;
  #isEnded = false;
  #wake: (() => void) | undefined;

  constructor(source: AsyncIterable<unknown>, options: OutgoingStreamOptions) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#options = options;
    this.wire = { $stream: 1, pull: this.#pull, cancel: () => this.close() };
  }

  /** Ends the stream without a word to the consumer. The producer's `finally` blocks run. */
  close(): void {
    if (this.#isEnded) return;
    this.#finish();
    // What the producer does at its end concerns nobody any more, so its failure goes nowhere.
    void Promise.resolve().then(() => this.#iterator.return?.()).catch(() => {});
  }

  readonly #pull = (credit: unknown, next: unknown, end: unknown): void => {
    if (this.#isEnded) return;
    if (!Number.isSafeInteger(credit) || (credit as number) <= 0) {
      return this.#fail(new KiteError("argumentError", "Cannot pull: credit must be above 0"));
    }
    if (this.#next === undefined) {
      if (typeof next !== "function" || typeof end !== "function") {
        return this.#fail(
          new KiteError("argumentError", "Cannot pull: the first call must bring two functions"),
        );
      }
      this.#next = next as Callback;
      this.#end = end as Callback;
      void this.#run();
    } else {
      this.#taken(credit as number);
    }
    this.#credit = Math.min(this.#credit + (credit as number), this.#options.streamItems);
    this.#wake?.();
  };

  async #run(): Promise<void> {
    let error: unknown;
    try {
      for (;;) {
        while (!this.#isEnded && !this.#mayProduce()) {
          this.#flush();
          await new Promise<void>((resolve) => this.#wake = resolve);
          this.#wake = undefined;
        }
        if (this.#isEnded) return;
        const item = await this.#iterator.next();
        if (this.#isEnded) return;
        if (item.done === true) break;
        this.#credit--;
        this.#add(item.value);
      }
      this.#flush();
    } catch (thrown) {
      if (this.#isEnded) return;
      error = thrown;
    }
    this.#sendEnd(error === undefined ? null : errorObject(error, ""));
  }

  #mayProduce(): boolean {
    return this.#credit > 0 && this.#sentBytes < this.#options.streamBytes;
  }

  #add(item: unknown): void {
    this.#batch.push(item);
    if (this.#batch.length >= BATCH_ITEMS) return this.#flush();
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    afterTurn(this.#flushLater);
  }

  readonly #flushLater = (): void => {
    this.#isFlushScheduled = false;
    try {
      if (!this.#isEnded) this.#flush();
    } catch (error) {
      this.#fail(error);
    }
  };

  /** @throws {KiteError} what an item that cannot travel causes */
  #flush(): void {
    if (this.#batch.length === 0) return;
    const items = this.#batch;
    this.#batch = [];
    const bytes = this.#options.invoke(this.#next!, items);
    this.#sent.push({ items: items.length, bytes });
    this.#sentBytes += bytes;
  }

  /** New credit says that as many items have been taken. */
  #taken(items: number): void {
    let left = items;
    let taken = 0;
    while (left > 0 && taken < this.#sent.length) {
      const batch = this.#sent[taken]!;
      if (batch.items > left) {
        batch.items -= left;
        break;
      }
      left -= batch.items;
      this.#sentBytes -= batch.bytes;
      taken++;
    }
    if (taken > 0) this.#sent = this.#sent.slice(taken);
  }

  /** Ends the stream at both sides. */
  #fail(error: unknown): void {
    if (this.#isEnded) return;
    this.#sendEnd(errorObject(error, ""));
    void Promise.resolve().then(() => this.#iterator.return?.()).catch(() => {});
  }

  #sendEnd(error: ErrorObject | null): void {
    const end = this.#end;
    this.#finish();
    if (end !== undefined) this.#options.invoke(end, [error]);
  }

  #finish(): void {
    this.#isEnded = true;
    this.#batch = [];
    this.#sent = [];
    this.#wake?.();
    this.#options.onEnd(this);
  }
}
