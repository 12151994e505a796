import { KiteError } from "../protocol/errors.ts";
import { expectStream } from "./expected_stream.ts";
import { EXPECTS_STREAM } from "./first_credit.ts";
import { IncomingStream } from "./incoming_stream.ts";
import type { TellOptions } from "./remote.ts";
import type { RemoteStream } from "./remote_stream.ts";
import { abortedError } from "./calls_out.ts";

/** Options of {@linkcode RemoteItems}. */
export interface RemoteItemsOptions {
  readonly name: string;
  /** Options of the call. */
  readonly options: TellOptions;
  /** Makes the call. */
  readonly call: (options: TellOptions) => Promise<unknown>;
  /** Checks an item. */
  readonly check: ((item: unknown) => unknown) | undefined;
}

const DONE: IteratorResult<unknown> = Object.freeze({ done: true, value: undefined });

/**
 * The items that a typed method streams. Reading the first item calls the method. If the connection
 * is lost and the remote sends tracked items, the method is called again with the id of the last
 * one.
 */
export class RemoteItems implements RemoteStream<unknown> {
  readonly #method: RemoteItemsOptions;
  readonly #signals: readonly AbortSignal[];
  #source: IncomingStream | undefined;
  #opening: Promise<IncomingStream> | undefined;
  #lastId: string | undefined;
  #isDone = false;

  constructor(method: RemoteItemsOptions) {
    this.#method = method;
    const { signal, within, lastId } = method.options;
    this.#signals = [signal, within?.signal].filter((each) => each !== undefined);
    this.#lastId = lastId;
  }

  get lastId(): string | undefined {
    return this.#source?.lastId ?? this.#lastId;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown>> {
    const source = this.#source;
    if (source?.hasItems && this.#method.check === undefined) return source.next();
    return this.#isDone ? Promise.resolve(DONE) : this.#next();
  }

  async return(): Promise<IteratorResult<unknown>> {
    // If the loop ends during the call, the stream ends as soon as it arrives.
    const source = this.#source ?? await this.#opening?.catch(() => undefined);
    this.#end();
    await source?.return();
    return DONE;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #next(): Promise<IteratorResult<unknown>> {
    for (;;) {
      let source: IncomingStream | undefined;
      try {
        source = this.#source ?? await (this.#opening ??= this.#open());
        const item = await source.next();
        if (item.done === true) this.#end();
        if (item.done === true || this.#method.check === undefined) return item;
        return { done: false, value: await this.#method.check(item.value) };
      } catch (error) {
        if (source !== undefined && this.#canResume(source, error)) continue;
        this.#end();
        // The loop ends with this error, so the remote need not send more items.
        await source?.return();
        throw error;
      }
    }
  }

  /**
   * Prepares to repeat the call, if the connection was lost and the remote sends tracked items.
   *
   * @returns false if the call must not be repeated
   */
  #canResume(source: IncomingStream, error: unknown): boolean {
    if (!(error instanceof KiteError) || error.type !== "disconnect" || this.#isDone) return false;
    if (source !== this.#source) return true;
    this.#lastId = source.lastId ?? this.#lastId;
    if (this.#lastId === undefined) return false;
    this.#source = undefined;
    this.#opening = undefined;
    return true;
  }

  async #open(): Promise<IncomingStream> {
    const { name, options, call } = this.#method;
    const lastId = this.#lastId;
    // The call can be repeated: it continues after the last item that was read.
    const repeated = lastId === undefined ? options : { ...options, lastId, idempotent: true };
    const result = await call({ ...repeated, [EXPECTS_STREAM]: expectStream } as TellOptions);
    if (!(result instanceof IncomingStream)) {
      throw new KiteError(
        "invalidResponse",
        `Cannot stream from "${name}": the answer contains no stream`,
      );
    }
    this.#source = result;
    for (const signal of this.#signals) signal.addEventListener("abort", this.#abort);
    if (this.#signals.some(({ aborted }) => aborted)) this.#abort();
    return result;
  }

  readonly #abort = (): void => {
    const signal = this.#signals.find(({ aborted }) => aborted);
    if (signal !== undefined) this.#source?.abort(abortedError(this.#method.name, signal));
  };

  #end(): void {
    this.#lastId = this.lastId;
    this.#isDone = true;
    this.#source = undefined;
    for (const signal of this.#signals) signal.removeEventListener("abort", this.#abort);
  }
}
