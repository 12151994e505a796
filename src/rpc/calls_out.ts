import type { FoundFunction } from "../dnode/scrub.ts";
import { KiteError } from "../protocol/errors.ts";
import { readAnswer } from "./answer.ts";
import { failedCall } from "./call_failure.ts";
import type { Authentication, Codec, OutgoingRequest, RequestHead } from "./codec.ts";
import { disconnected } from "./disconnected.ts";
import { asKiteError, type ConversationHost } from "./host.ts";
import { EXPECTS_STREAM, type ExpectsStream, FIRST_CREDIT } from "./first_credit.ts";
import type { MessageSender } from "./message_sender.ts";
import { LAST_ID } from "./tracked.ts";
import { type PendingCall, PendingCalls } from "./pending_calls.ts";
import { readMetadata } from "./metadata.ts";
import type { TellOptions } from "./remote.ts";
import { checkTell, NO_OPTIONS, resolveWithin } from "./tell_options.ts";
import type { CloseInfo } from "../transport/session.ts";

/** Calls given up that are remembered until the remote has answered for the first time, at most. */
const MOST_GIVEN_UP = 64;
const NO_IDS: readonly number[] = Object.freeze([]);

/** Options of {@linkcode CallsOut}. */
export interface CallsOutOptions {
  /** Returns the authentication to send; called before each request. */
  readonly credentials: () => Authentication | undefined;
  /** The remote's URL or address, for the errors of calls that fail. */
  readonly remoteUrl: () => string;
  /** Called when the remote answers that this side's token has expired. */
  readonly onTokenExpire?: (error: KiteError) => void;
}

/** Sends the calls of this side over one session, and settles them. */
export class CallsOut {
  readonly #host: ConversationHost;
  readonly #sender: MessageSender;
  readonly #options: CallsOutOptions;
  readonly #pending: PendingCalls;
  #head: RequestHead | undefined;
  /** Calls given up while it was not known whether the remote can cancel them. */
  #givenUp: number[] = [];
  #headCodec: Codec | undefined;
  #headCredentials: Authentication | undefined;

  constructor(host: ConversationHost, sender: MessageSender, options: CallsOutOptions) {
    this.#host = host;
    this.#sender = sender;
    this.#options = options;
    this.#pending = new PendingCalls(
      (error, method) => failedCall(error, { method, url: options.remoteUrl(), wasSent: true }),
      (id) => this.#giveUp(id),
    );
  }

  /** The number of calls that wait for their answer. */
  get size(): number {
    return this.#pending.size;
  }

  /** Calls a method of the remote, see {@linkcode RemoteKite.tellWith}. */
  tell(options: TellOptions, method: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve) => {
      const error = this.#call(options, method, args, resolve);
      if (error !== undefined) {
        resolve(failedCall(error, { method, url: this.#options.remoteUrl() }));
      }
    });
  }

  /**
   * Settles the call that an answer belongs to.
   *
   * @returns whether the call was found
   */
  settle(id: number, args: readonly unknown[]): boolean {
    const call = this.#pending.take(id);
    if (call === undefined) return false;
    if (!this.#sender.extensions.isKnown) {
      this.#sender.learn(namesIn(args[0]));
      this.acquainted();
    }
    const { error, result } = readAnswer(args);
    if (error === undefined) this.#succeed(call, result);
    else this.#refuse(call, error);
    return true;
  }

  /** Settles the call that a result belongs to. Unknown ids are ignored. */
  succeed(id: number, result: unknown): void {
    const call = this.#pending.take(id);
    if (call !== undefined) this.#succeed(call, result);
  }

  /** Fails the call that an error of the remote belongs to. Unknown ids are ignored. */
  refuse(id: number, error: KiteError): void {
    const call = this.#pending.take(id);
    if (call !== undefined) this.#refuse(call, error);
  }

  /**
   * Fails the call whose answer cannot be read.
   *
   * @returns whether the call was found
   */
  fail(id: number, type: "limitError" | "invalidResponse", reason: string): boolean {
    const call = this.#pending.take(id);
    if (call === undefined) return false;
    this.#pending.fail(
      call,
      new KiteError(type, `Cannot read the answer to "${call.method}": ${reason}`),
    );
    return true;
  }

  /** Fails all calls, after the end of the session. */
  end(info: CloseInfo): void {
    this.#pending.failAll(() => disconnected(info));
  }

  #succeed(call: PendingCall, result: unknown): void {
    call.cleanUp?.(undefined);
    call.resolve(result);
  }

  #refuse(call: PendingCall, error: KiteError): void {
    this.#pending.fail(call, error);
    if (error.message.includes("token is expired")) this.#options.onTokenExpire?.(error);
  }

  /**
   * Sends a call.
   *
   * @returns the error if it could not be sent
   */
  #call(
    options: TellOptions,
    method: string,
    args: readonly unknown[],
    resolve: (result: unknown) => void,
  ): KiteError | undefined {
    if (options !== NO_OPTIONS || typeof method !== "string") {
      const wrong = checkTell(options, method);
      if (wrong !== undefined) return wrong;
    }
    const { timeout = this.#host.timeout, signal, callbacks: lifetime, meta, lastId } =
      resolveWithin(options, this.#host.timeout);
    const given = lastId === undefined ? meta : { ...meta, [LAST_ID]: lastId };
    const sender = this.#sender;
    if (!sender.isOpen) return disconnected();
    if (signal?.aborted) return abortedError(method, signal);
    const { pendingCalls } = sender.limits;
    if (this.#pending.size >= pendingCalls) {
      const reason = `${pendingCalls} calls wait already (limit: pendingCalls)`;
      return new KiteError("limitError", reason);
    }
    const expect = (options as ExpectsStream)[EXPECTS_STREAM];
    if (expect !== undefined && sender.extensions.has("stream/1")) {
      return expect(sender, resolve, (credit, settle) => {
        const meta = { ...options.meta, [FIRST_CREDIT]: credit };
        const plain: ExpectsStream = { ...options, meta, [EXPECTS_STREAM]: undefined };
        return this.#call(plain, method, args, settle);
      });
    }
    const responseId = sender.ids.take();
    let functions: readonly FoundFunction[];
    try {
      const metadata = given === undefined ? undefined : readMetadata(given, sender.limits);
      functions = sender.functionsIn(args);
      const can = sender.extensions.forRequest;
      const codec = can === undefined ? sender.codec : sender.plain;
      const head = this.#requestHead(codec);
      const request: OutgoingRequest = {
        method,
        head,
        args,
        responseId,
        functions,
        ids: NO_IDS,
        timeout,
        meta: metadata,
        can,
      };
      if (functions.length === 0) sender.sendPlain(codec.request(request));
      else sender.send(functions, (ids) => codec.request({ ...request, ids }));
      if (can !== undefined) sender.extensions.announced();
    } catch (error) {
      return asKiteError(error, "argumentError");
    }
    // Sending may have ended the session, for example because the remote reads too slowly.
    if (!sender.isOpen) return disconnected();
    const deadline = timeout > 0 ? performance.now() + timeout : Infinity;
    const call: PendingCall = functions.length === 0 && signal === undefined
      ? { method, timeout, deadline, resolve }
      : {
        method,
        timeout,
        deadline,
        resolve,
        cleanUp: this.#cleanUp(method, responseId, functions, signal, lifetime),
      };
    this.#pending.add(responseId, call);
    return undefined;
  }

  /** Returns a function that releases the functions and the signal of a call when it ends. */
  #cleanUp(
    method: string,
    id: number,
    functions: readonly FoundFunction[],
    signal: AbortSignal | undefined,
    lifetime: TellOptions["callbacks"],
  ): (error: KiteError | undefined) => void {
    const abort = (): void => {
      const call = this.#pending.take(id);
      if (call === undefined) return;
      this.#giveUp(id);
      this.#pending.fail(call, abortedError(method, signal!));
    };
    signal?.addEventListener("abort", abort, { once: true });
    return (error) => {
      signal?.removeEventListener("abort", abort);
      const isGivenUp = error?.type === "timeout" || error?.type === "aborted";
      if (lifetime === "call" || isGivenUp) this.#sender.takeBack(functions);
      else if (lifetime !== "session" || error !== undefined) this.#sender.leave(functions);
    };
  }

  /** Cancels a call at the remote if it supports that. */
  #giveUp(id: number): void {
    const sender = this.#sender;
    if (!sender.isOpen) return;
    if (sender.extensions.has("cancel/1")) sender.sendText(sender.codec.cancel(id));
    else if (!sender.extensions.isKnown && this.#givenUp.length < MOST_GIVEN_UP) {
      this.#givenUp.push(id);
    }
  }

  /** Handles the remote's first answer: cancels calls that were aborted before, if it supports that. */
  acquainted(): void {
    const givenUp = this.#givenUp;
    this.#givenUp = [];
    for (const id of givenUp) this.#giveUp(id);
  }

  #requestHead(codec: Codec): RequestHead {
    const credentials = this.#options.credentials();
    if (
      this.#head === undefined || credentials !== this.#headCredentials || codec !== this.#headCodec
    ) {
      this.#head = codec.head(this.#host.identity, credentials, this.#host.timeout);
      this.#headCredentials = credentials;
      this.#headCodec = codec;
      if (this.#head.message !== undefined) this.#sender.sendText(this.#head.message);
    }
    return this.#head;
  }
}

/** Returns the names of the remote's extensions in its answer, unchecked. */
function namesIn(answer: unknown): unknown {
  return typeof answer === "object" && answer !== null && Object.hasOwn(answer, "can")
    ? (answer as { can: unknown }).can
    : undefined;
}

/** Creates the error of a call whose signal was aborted. */
export function abortedError(method: string, signal: AbortSignal): KiteError {
  return new KiteError("aborted", `Cannot call "${method}": the signal was aborted`, {
    cause: signal.reason,
  });
}
