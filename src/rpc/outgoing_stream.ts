import type { Callback, OpenedStream } from "../dnode/scrub.ts";
import type { StreamSource } from "../dnode/stream.ts";
import type { ErrorObject } from "../protocol/errors.ts";
import { KiteError } from "../protocol/errors.ts";
import { Timer } from "../runtime/timer.ts";
import { afterTurn } from "../runtime/turn.ts";
import { errorObject } from "./answer.ts";

/** The parts of a session that an {@linkcode OutgoingStream} uses. */
export interface OutgoingStreamHost {
  /** Maximum number of items that a consumer may request in advance. */
  readonly streamItems: number;
  /** Unsent bytes of the session at which the producer waits. */
  readonly streamBytes: number;
  /** Bytes of the session that the network has not accepted yet. */
  unsentBytes(): number;
  /** Characters of all messages that were sent. */
  sentLength(): number;
  /** Called when the stream has ended. Its functions are no longer needed. */
  ended(stream: OutgoingStream): void;
}

/** Maximum number of items in one message. */
const BATCH_ITEMS = 512;
/** Characters of all items in one message that the stream aims for. */
const BATCH_LENGTH = 65_536;
/** Milliseconds until a stream that waits for a slow network checks it again. */
const NETWORK_PAUSE = 2;
const NOTHING: IteratorResult<unknown> = Object.freeze({ done: true, value: undefined });

/**
 * Sends the items of an async iterable to a remote. The next item is produced only while the remote
 * has requested more items and the network accepts data, so a slow consumer slows the producer
 * down. Items of one turn of the event loop are sent in one message.
 */
export class OutgoingStream implements OpenedStream {
  readonly pull: Callback;
  readonly cancel: Callback;
  onEnd: ((isComplete: boolean) => void) | undefined;
  readonly #host: OutgoingStreamHost;
  readonly #iterator: AsyncIterator<unknown>;
  #next: Callback | undefined;
  #end: Callback | undefined;
  /** Items that the consumer has requested and that were not produced yet. */
  #credit = 0;
  /** Items collected for one message. */
  #batch: unknown[] = [];
  /** Items that the next message may contain; depends on the size of earlier items. */
  #batchItems = 1;
  #isFlushScheduled = false;
  #isEnded = false;
  #wake: (() => void) | undefined;

  /** @throws the error of opening the source, for example if a `ReadableStream` is locked */
  constructor(source: StreamSource, host: OutgoingStreamHost) {
    this.#iterator = iteratorOf(source);
    this.#host = host;
    this.pull = (credit, next, end) => this.#pulled(credit, next, end);
    this.cancel = () => this.close();
  }

  /** True once the consumer has requested items. */
  get isStarted(): boolean {
    return this.#next !== undefined;
  }

  /** Ends the stream without telling the consumer. The producer's `finally` blocks run. */
  close(): void {
    if (this.#isEnded) return;
    this.#finish();
    this.onEnd?.(false);
    this.#settle(() => this.#iterator.return?.());
  }

  /** Ends the stream after the end of the session: the producer's `yield` throws the error. */
  fail(error: KiteError): void {
    if (this.#isEnded) return;
    this.#finish();
    const { throw: raise } = this.#iterator;
    this.#settle(() =>
      raise === undefined ? this.#iterator.return?.() : raise.call(this.#iterator, error)
    );
  }

  /** Ends the producer. Its errors are ignored, since nobody waits for them. */
  #settle(end: () => unknown): void {
    void Promise.resolve().then(end).catch(() => {});
  }

  #pulled(credit: unknown, next: unknown, end: unknown): void {
    if (this.#isEnded) return;
    if (this.#next === undefined) {
      if (typeof next !== "function" || typeof end !== "function") return this.close();
      this.#next = next as Callback;
      this.#end = end as Callback;
      void this.#run();
    }
    if (!Number.isSafeInteger(credit) || (credit as number) <= 0) {
      const reason = "Cannot send items: credit must be an integer of at least 1";
      return this.#refuse(new KiteError("argumentError", reason));
    }
    this.#credit = Math.min(this.#credit + (credit as number), this.#host.streamItems);
    this.#wake?.();
  }

  async #run(): Promise<void> {
    try {
      await this.#produce();
    } catch (error) {
      return this.#refuse(error);
    }
    if (!this.#isEnded) this.#sendEnd(null);
  }

  async #produce(): Promise<void> {
    try {
      for (;;) {
        if (this.#credit === 0 || this.#isNetworkFull()) await this.#hold();
        if (this.#isEnded) return;
        const item = await this.#iterator.next();
        if (this.#isEnded || item.done === true) return;
        this.#credit--;
        this.#add(item.value);
      }
    } finally {
      // Items produced before an error are sent before it.
      this.#flush();
    }
  }

  /** Waits until the consumer requests items and the network accepts data. */
  async #hold(): Promise<void> {
    this.#flush();
    while (!this.#isEnded && (this.#credit === 0 || this.#isNetworkFull())) {
      let timer: Timer | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (this.#credit > 0) timer = new Timer(resolve, NETWORK_PAUSE);
      });
      timer?.clear();
      this.#wake = undefined;
    }
  }

  #isNetworkFull(): boolean {
    return this.#host.unsentBytes() > this.#host.streamBytes;
  }

  #add(item: unknown): void {
    this.#batch.push(item);
    if (this.#batch.length >= this.#batchItems) return this.#flush();
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    afterTurn(this.#flushLater);
  }

  readonly #flushLater = (): void => {
    this.#isFlushScheduled = false;
    if (this.#isEnded) return;
    try {
      this.#flush();
    } catch (error) {
      this.#refuse(error);
    }
  };

  /** @throws {KiteError} `argumentError` or `limitError` if an item cannot be sent */
  #flush(): void {
    const items = this.#batch;
    if (items.length === 0 || this.#isEnded) return;
    this.#batch = [];
    const before = this.#host.sentLength();
    this.#send(items);
    const length = (this.#host.sentLength() - before) / items.length;
    const fitting = Math.max(1, Math.floor(BATCH_LENGTH / Math.max(1, length)));
    this.#batchItems = Math.min(this.#batchItems * 2, fitting, BATCH_ITEMS);
  }

  /** Sends items in several messages if they are too large for one. */
  #send(items: readonly unknown[]): void {
    try {
      this.#next!(...items);
    } catch (error) {
      const isTooMuch = error instanceof KiteError && error.type === "limitError";
      if (!isTooMuch || items.length === 1) throw error;
      const half = items.length >> 1;
      this.#send(items.slice(0, half));
      this.#send(items.slice(half));
    }
  }

  /** Ends the stream on both sides. */
  #refuse(error: unknown): void {
    if (this.#isEnded) return;
    this.#settle(() => this.#iterator.return?.());
    this.#sendEnd(errorObject(error, ""));
  }

  #sendEnd(error: ErrorObject | null): void {
    this.#finish();
    this.onEnd?.(true);
    try {
      this.#end?.(error);
    } catch {
      const reason = "the stream failed with an error that is too long to be sent";
      this.#end?.(errorObject(new KiteError("genericError", reason), ""));
    }
  }

  #finish(): void {
    this.#isEnded = true;
    this.#batch = [];
    this.#wake?.();
    this.#host.ended(this);
  }
}

/** Ends a source that nobody will read. */
export function closeSource(source: StreamSource): void {
  void Promise.resolve().then(() => iteratorOf(source).return?.()).catch(() => {});
}

function iteratorOf(source: StreamSource): AsyncIterator<unknown> {
  const iterate = (source as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator];
  if (iterate !== undefined) return iterate.call(source);
  const reader = (source as ReadableStream<unknown>).getReader();
  return {
    next: async () => {
      const { done, value } = await reader.read();
      return done ? NOTHING : { done: false, value };
    },
    return: async () => {
      await reader.cancel();
      return NOTHING;
    },
  };
}
