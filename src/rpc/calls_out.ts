import type { FoundFunction } from "../dnode/scrub.ts";
import { KiteError } from "../protocol/errors.ts";
import { readAnswer } from "./answer.ts";
import type { Authentication, RequestHead } from "./codec.ts";
import { asKiteError, type ConversationHost, disconnected } from "./host.ts";
import type { Line } from "./line.ts";
import { type PendingCall, PendingCalls } from "./pending_calls.ts";
import type { TellOptions } from "./remote.ts";

/** What our calls need to know beside the line. */
export interface CallsOutOptions {
  /** What our requests show; read before each. */
  readonly credentials: () => Authentication | undefined;
  /** The remote answered that our token is expired. */
  readonly onTokenExpire?: (error: KiteError) => void;
}

/** The calls that we make over one session, and what becomes of them. */
export class CallsOut {
  readonly #host: ConversationHost;
  readonly #line: Line;
  readonly #options: CallsOutOptions;
  readonly #pending = new PendingCalls();
  #head: RequestHead | undefined;
  #headCredentials: Authentication | undefined;

  constructor(host: ConversationHost, line: Line, options: CallsOutOptions) {
    this.#host = host;
    this.#line = line;
    this.#options = options;
  }

  /** Calls that wait for their answer. */
  get size(): number {
    return this.#pending.size;
  }

  /** Calls a method of the remote, see {@linkcode RemoteKite.tellWith}. */
  tell(options: TellOptions, method: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => this.#call(options, method, args, resolve, reject));
  }

  /** Settles the call that an answer belongs to. @returns whether there is one */
  settle(id: number, args: readonly unknown[]): boolean {
    const call = this.#pending.take(id);
    if (call === undefined) return false;
    const { error, result } = readAnswer(args);
    if (error === undefined) {
      call.resolve(result);
      return true;
    }
    call.reject(error);
    if (error.message.includes("token is expired")) this.#options.onTokenExpire?.(error);
    return true;
  }

  /** Fails the call whose answer cannot be read. @returns whether there is one */
  fail(id: number, type: "limitError" | "invalidResponse", reason: string): boolean {
    const call = this.#pending.take(id);
    call?.reject(new KiteError(type, `the answer to "${call.method}": ${reason}`));
    return call !== undefined;
  }

  /** Fails them all: the session has ended. */
  end(): void {
    this.#pending.failAll(disconnected);
  }

  #call(
    { timeout = this.#host.timeout, signal, callbacks: lifetime }: TellOptions,
    method: string,
    args: readonly unknown[],
    resolve: (result: unknown) => void,
    reject: (error: KiteError) => void,
  ): void {
    const line = this.#line;
    if (!line.isOpen) return reject(disconnected());
    if (signal?.aborted) return reject(abortedError(method, signal));
    const { pendingCalls } = line.limits;
    if (this.#pending.size >= pendingCalls) {
      const reason = `${pendingCalls} calls wait already (limit: pendingCalls)`;
      return reject(new KiteError("limitError", reason));
    }
    const responseId = line.ids.take();
    let functions: readonly FoundFunction[];
    try {
      functions = line.functionsIn(args);
      const head = this.#requestHead();
      line.send(
        functions,
        (ids) => line.codec.request({ method, head, args, responseId, functions, ids }),
      );
    } catch (error) {
      return reject(asKiteError(error, "sendError"));
    }
    const deadline = timeout > 0 ? performance.now() + timeout : Infinity;
    const call: PendingCall = { method, timeout, deadline, resolve, reject };
    this.#pending.add(
      responseId,
      functions.length === 0 && signal === undefined
        ? call
        : this.#withCleanup(call, responseId, functions, signal, lifetime === "call"),
    );
  }

  /** A call that has something to tidy up when it ends. */
  #withCleanup(
    call: PendingCall,
    id: number,
    functions: readonly FoundFunction[],
    signal: AbortSignal | undefined,
    releases: boolean,
  ): PendingCall {
    const abort = (): void => {
      if (this.#pending.take(id) === undefined) return;
      this.#line.takeBack(functions);
      call.reject(abortedError(call.method, signal!));
    };
    signal?.addEventListener("abort", abort, { once: true });
    return {
      ...call,
      resolve: (result) => {
        signal?.removeEventListener("abort", abort);
        if (releases) this.#line.takeBack(functions);
        call.resolve(result);
      },
      reject: (error) => {
        signal?.removeEventListener("abort", abort);
        if (releases || error.type === "timeout") this.#line.takeBack(functions);
        call.reject(error);
      },
    };
  }

  #requestHead(): RequestHead {
    const credentials = this.#options.credentials();
    if (this.#head === undefined || credentials !== this.#headCredentials) {
      this.#head = this.#line.codec.head(this.#host.identity, credentials);
      this.#headCredentials = credentials;
    }
    return this.#head;
  }
}

function abortedError(method: string, signal: AbortSignal): KiteError {
  return new KiteError("aborted", `the call of "${method}" was given up`, {
    cause: signal.reason,
  });
}
