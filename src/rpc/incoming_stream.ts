import type { Callback } from "../dnode/scrub.ts";
import { KiteError } from "../protocol/errors.ts";
import { readError } from "./answer.ts";
import type { RemoteStream } from "./remote_stream.ts";
import { readTracked } from "./tracked.ts";

/** The functions of this side that a remote calls for one stream. */
export interface StreamReceivers {
  readonly next: (items: unknown[], bytes: number) => void;
  readonly end: (error: unknown) => void;
}

/** The parts of a session that an {@linkcode IncomingStream} uses. */
export interface IncomingStreamHost {
  /** Maximum number of items that are requested or waiting. */
  readonly streamItems: number;
  /** Bytes of waiting items that the stream tries not to exceed. */
  readonly streamBytes: number;
  /** True if this many further bytes may wait. */
  hasRoom(bytes: number): boolean;
  /** Adds to the count of waiting bytes; subtracts if negative. */
  count(bytes: number): void;
  /**
   * Called when the first item is requested.
   *
   * @returns the functions to hand to the remote
   * @throws {KiteError} `disconnect`, `limitError`
   */
  started(
    stream: IncomingStream<unknown>,
    receivers: StreamReceivers,
  ): readonly [Callback, Callback];
  /** Called when the stream has ended. Its functions are no longer needed. */
  ended(stream: IncomingStream<unknown>): void;
}

interface Waiter {
  resolve(result: IteratorResult<unknown>): void;
  reject(error: KiteError): void;
}

interface Batch {
  readonly items: readonly unknown[];
  readonly bytes: number;
}

/** Items that a consumer requests first, before it knows their size. */
const FIRST_ITEMS = 32;
const DONE: IteratorResult<unknown> = Object.freeze({ done: true, value: undefined });
const NOTHING: Batch = Object.freeze({ items: [], bytes: 0 });

/** The consumer's side of a stream: requests items, and yields them in order. */
export class IncomingStream<Item = unknown> implements RemoteStream<Item> {
  readonly #host: IncomingStreamHost;
  #pull: Callback;
  #cancel: Callback;
  readonly #waiters: Waiter[] = [];
  /** The batch that is being read, and the index of its next item. */
  #batch: Batch = NOTHING;
  #index = 0;
  #batches: Batch[] = [];
  /**
   * Items that should be requested or waiting. Doubles up to a limit; smaller if items are large.
   */
  #window: number;
  /** Requested items that have not arrived yet. */
  #allowed = 0;
  /** Items that have arrived and were not read yet. */
  #waiting = 0;
  /** Items to read until more are requested. */
  #untilPull = 0;
  #meanBytes = 1;
  #isStarted = false;
  #isEnded = false;
  #error: KiteError | undefined;
  #lastId: string | undefined;

  /** Creates the stream when a message that contains it arrives. */
  constructor(pull: Callback, cancel: Callback, host: IncomingStreamHost) {
    this.#pull = pull;
    this.#cancel = cancel;
    this.#host = host;
    this.#window = Math.min(FIRST_ITEMS, host.streamItems);
  }

  /** True if the next item has arrived. */
  get hasItems(): boolean {
    return this.#waiting > 0;
  }

  get lastId(): string | undefined {
    return this.#lastId;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Item>> {
    if (!this.#isStarted) this.#start();
    if (this.#waiting > 0) {
      return Promise.resolve(this.#result(this.#take()) as IteratorResult<Item>);
    }
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#isEnded) return Promise.resolve(DONE as IteratorResult<Item>);
    return new Promise<IteratorResult<unknown>>((resolve, reject) =>
      this.#waiters.push({ resolve, reject })
    ) as Promise<IteratorResult<Item>>;
  }

  return(): Promise<IteratorResult<Item>> {
    this.#isStarted = true;
    if (!this.#isEnded) this.#leave(undefined);
    this.#drop();
    this.#error = undefined;
    return Promise.resolve(DONE as IteratorResult<Item>);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /**
   * Begins before the remote has named its functions.
   *
   * @returns the credit and the functions that go with the request
   * @throws {KiteError} `disconnect`, `limitError`
   */
  expect(): { readonly credit: number; readonly functions: readonly [Callback, Callback] } {
    this.#isStarted = true;
    const functions = this.#host.started(this, this.#receivers());
    this.#ask([]);
    return { credit: this.#allowed, functions };
  }

  /**
   * The call has ended that {@linkcode IncomingStream.expect} began for.
   *
   * @param result what it was resolved with
   * @returns this stream if the result is one, and else the result
   */
  settle(result: unknown): unknown {
    if (!(result instanceof IncomingStream)) {
      if (!this.#isEnded) this.#finish(undefined);
      return result;
    }
    this.#pull = result.#pull;
    this.#cancel = result.#cancel;
    return this;
  }

  /** Ends the stream with an error, and discards the items that wait. */
  abort(error: KiteError): void {
    this.#isStarted = true;
    this.#drop();
    if (this.#isEnded) this.#error = error;
    else this.#leave(error);
  }

  /** Handles the end of the session. Items that arrived before can still be read. */
  fail(error: KiteError): void {
    if (!this.#isEnded) this.#finish(error);
  }

  #start(): void {
    this.#isStarted = true;
    try {
      this.#ask(this.#host.started(this, this.#receivers()));
    } catch (error) {
      this.#leave(error as KiteError);
    }
  }

  #receivers(): StreamReceivers {
    return {
      next: (items, bytes) => this.#receive(items, bytes),
      end: (error) => this.#receiveEnd(error),
    };
  }

  /** Requests as many items as the window has room for. */
  #ask(functions: readonly Callback[]): void {
    const outstanding = this.#allowed + this.#waiting;
    const credit = this.#window - outstanding;
    this.#untilPull = Math.max(1, Math.max(this.#window, outstanding) - (this.#window >> 1));
    if (credit <= 0) return;
    this.#allowed += credit;
    this.#pull(credit, ...functions);
  }

  #askMore(): void {
    const { streamItems, streamBytes } = this.#host;
    const fitting = Math.max(1, Math.floor(streamBytes / this.#meanBytes));
    this.#window = Math.min(this.#window * 2, fitting, streamItems);
    try {
      this.#ask([]);
    } catch (error) {
      this.#finish(error as KiteError);
    }
  }

  #take(): unknown {
    if (this.#index === this.#batch.items.length) this.#nextBatch();
    const item = this.#batch.items[this.#index++];
    this.#waiting--;
    // Subtracted with the last item, since the next one may take long to arrive.
    if (this.#waiting === 0) this.#drop();
    return item;
  }

  #nextBatch(): void {
    this.#host.count(-this.#batch.bytes);
    this.#batch = this.#batches.shift()!;
    this.#index = 0;
  }

  #result(item: unknown): IteratorResult<unknown> {
    if (--this.#untilPull <= 0 && !this.#isEnded) this.#askMore();
    const tracked = readTracked(item);
    if (tracked === undefined) return { done: false, value: item };
    this.#lastId = tracked.id;
    return { done: false, value: tracked.value };
  }

  #receive(items: unknown[], bytes: number): void {
    if (this.#isEnded || items.length === 0) return;
    if (items.length > this.#allowed) {
      return this.#leave(tooMuch("the remote sent more items than were asked for"));
    }
    if (!this.#host.hasRoom(bytes)) {
      return this.#leave(
        tooMuch("too many bytes wait (limit: inFlightBytes, totalInFlightBytes)"),
      );
    }
    this.#allowed -= items.length;
    this.#waiting += items.length;
    this.#meanBytes += (bytes / items.length - this.#meanBytes) / 2;
    this.#host.count(bytes);
    this.#batches.push({ items, bytes });
    while (this.#waiters.length > 0 && this.#waiting > 0) {
      this.#waiters.shift()!.resolve(this.#result(this.#take()));
    }
  }

  #receiveEnd(error: unknown): void {
    if (this.#isEnded) return;
    this.#finish(error === null || error === undefined ? undefined : readError(error));
  }

  /** Ends the stream at both sides. */
  #leave(error: KiteError | undefined): void {
    this.#finish(error);
    try {
      this.#cancel();
    } catch {
      // The session has ended meanwhile, or the remote revoked the function.
    }
  }

  #drop(): void {
    this.#host.count(-this.#batch.bytes);
    for (const { bytes } of this.#batches) this.#host.count(-bytes);
    this.#batch = NOTHING;
    this.#index = 0;
    this.#batches = [];
    this.#waiting = 0;
  }

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
    this.#host.ended(this);
  }
}

function tooMuch(reason: string): KiteError {
  return new KiteError("limitError", `Cannot read the stream: ${reason}`);
}
