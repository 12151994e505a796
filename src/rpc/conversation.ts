import {
  type Callback,
  findFunctions,
  type FoundFunction,
  type ScrubBounds,
} from "../dnode/scrub.ts";
import { KiteError } from "../protocol/errors.ts";
import { type KiteIdentity, readIdentity } from "../protocol/identity.ts";
import type { Limits } from "../protocol/limits.ts";
import { exceedsBytes } from "../sockjs/byte_length.ts";
import type { CloseInfo, Session, SessionHandler } from "../sockjs/session.ts";
import { errorObject, readAnswer } from "./answer.ts";
import { CallbackQueue } from "./callback_queue.ts";
import { CallbackTable, type IdCounter } from "./callback_table.ts";
import type { Authentication, Codec, Incoming, IncomingRequest, RequestHead } from "./codec.ts";
import { type PendingCall, PendingCalls } from "./pending_calls.ts";
import type { RemoteKite, TellOptions } from "./remote.ts";
import { KiteRequest, type RequestOrigin } from "./request.ts";

/** What a conversation needs from the kite that it speaks for. */
export interface ConversationHost {
  /** What this kite says of itself. */
  readonly identity: KiteIdentity;
  readonly limits: Limits;
  /** Milliseconds; for calls that name none of their own. */
  readonly timeout: number;
  /** Serves a request: gives the result, or throws the error. */
  serve(request: KiteRequest): unknown;
  /** Hears of what went wrong without anyone to answer to. */
  report(what: string, error?: unknown): void;
}

/** How one conversation differs from another. */
export interface ConversationOptions {
  /** The remote as users see it. */
  readonly remote: RemoteKite;
  readonly codec: Codec;
  /** Response and callback ids; outlives the conversation on the side that redials. */
  readonly ids: IdCounter;
  /** Whether requests of the remote must authenticate (wire.md 5). */
  readonly authenticates: boolean;
  /** What our own requests show; read before each. */
  readonly credentials: () => Authentication | undefined;
  /** Start callbacks without waiting for the one before. @default false */
  readonly concurrentCallbacks?: boolean;
  /** The end of the session. */
  readonly onClose: (info: CloseInfo) => void;
  /** The first request of the remote. */
  readonly onFirstRequest?: (request: KiteRequest) => void;
  /** The remote answered that our token is expired. */
  readonly onTokenExpire?: (error: KiteError) => void;
}

/** Levels that a message puts around the arguments of a request, and around a result. */
const REQUEST_LEVELS = 3;
/** Levels that a message puts around the arguments of a callback. */
const INVOKE_LEVELS = 1;

/** One conversation over one session: calls, answers and callbacks, the same on both sides. */
export class Conversation implements SessionHandler, RequestOrigin {
  readonly remote: RemoteKite;
  readonly authenticates: boolean;
  readonly #host: ConversationHost;
  readonly #session: Session;
  readonly #options: ConversationOptions;
  readonly #codec: Codec;
  readonly #pending = new PendingCalls();
  readonly #callbacks: CallbackTable;
  readonly #queue: CallbackQueue;
  #head: RequestHead | undefined;
  #headCredentials: Authentication | undefined;
  #headIdentity: KiteIdentity | undefined;
  #statedIdentity: unknown;
  #identity: KiteIdentity | undefined;
  #statedAuthentication: unknown;
  #authentication: Authentication | undefined;
  #running = 0;
  #hadRequest = false;
  #hadMessage = false;
  #abort: AbortController | undefined;
  #isOpen = true;
  #onIdle: (() => void)[] = [];
  /** What may stand in a request or a result, and in the invocation of a callback. */
  readonly #requestBounds: ScrubBounds;
  readonly #invokeBounds: ScrubBounds;

  constructor(host: ConversationHost, session: Session, options: ConversationOptions) {
    this.#host = host;
    this.#session = session;
    this.#options = options;
    this.#codec = options.codec;
    this.remote = options.remote;
    this.authenticates = options.authenticates;
    this.#callbacks = new CallbackTable(options.ids, host.limits.callbacksPerSession);
    this.#queue = new CallbackQueue(host.limits.queuedCallbacks, this.#reportCallback);
    const { nesting, messageBytes } = host.limits;
    const values = messageBytes / 2; // the least that one takes: a digit and a comma
    this.#requestBounds = { nesting: nesting - REQUEST_LEVELS, values };
    this.#invokeBounds = { nesting: nesting - INVOKE_LEVELS, values };
  }

  /** Begins to hear of messages. To be called once. */
  start(): void {
    this.#session.attach(this);
  }

  /** The kite that serves the remote's requests. */
  get localKite(): KiteIdentity {
    return this.#host.identity;
  }

  /** What the remote last said of itself. */
  get remoteIdentity(): KiteIdentity | undefined {
    return this.#identity;
  }

  /** Aborted when the session ends. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (!this.#isOpen) this.#abort.abort(disconnected());
    return this.#abort.signal;
  }

  /** True once a message has come or gone. */
  get hadMessage(): boolean {
    return this.#hadMessage;
  }

  /** The sizes of its tables, for those who watch for leaks. */
  get load(): { pending: number; callbacks: number; running: number } {
    return {
      pending: this.#pending.size,
      callbacks: this.#callbacks.size,
      running: this.#running,
    };
  }

  /** Calls a method of the remote, see {@linkcode RemoteKite.tellWith}. */
  tell(options: TellOptions, method: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => this.#call(options, method, args, resolve, reject));
  }

  /** Takes a function back, see {@linkcode RemoteKite.release}. */
  release(callback: Callback): boolean {
    return this.#callbacks.release(callback);
  }

  /** Ends the session. */
  close(code?: number, reason?: string): void {
    this.#session.close(code, reason);
  }

  /** Resolves when no request of the remote is running, or after `deadline` milliseconds. */
  idle(deadline: number): Promise<void> {
    if (this.#running === 0 || !this.#isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, deadline);
      this.#onIdle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  onMessage(text: string): void {
    this.#hadMessage = true;
    const message = this.#codec.decode(text, this.#remoteFunction);
    switch (message.kind) {
      case "invoke":
        return this.#invoked(message.id, message.args);
      case "request":
        return this.#serve(message);
      case "broken":
        return this.#refuse(message);
    }
  }

  onClose(info: CloseInfo): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#pending.failAll(disconnected);
    this.#callbacks.clear();
    this.#queue.clear();
    this.#abort?.abort(disconnected());
    this.#tellIdle();
    this.#options.onClose(info);
  }

  #call(
    { timeout = this.#host.timeout, signal, callbacks: lifetime }: TellOptions,
    method: string,
    args: readonly unknown[],
    resolve: (result: unknown) => void,
    reject: (error: KiteError) => void,
  ): void {
    if (!this.#isOpen) return reject(disconnected());
    if (signal?.aborted) return reject(abortedError(method, signal));
    const { limits } = this.#host;
    if (this.#pending.size >= limits.pendingCalls) {
      const reason = `${limits.pendingCalls} calls wait already (limit: pendingCalls)`;
      return reject(new KiteError("limitError", reason));
    }
    const id = this.#options.ids.take();
    let functions: readonly FoundFunction[];
    try {
      functions = findFunctions(args, this.#requestBounds);
      this.#send(functions, (ids) =>
        this.#codec.request({
          method,
          head: this.#requestHead(),
          args,
          responseId: id,
          functions,
          ids,
        }));
    } catch (error) {
      return reject(asKiteError(error, "sendError"));
    }
    const deadline = timeout > 0 ? performance.now() + timeout : Infinity;
    const call: PendingCall = { method, timeout, deadline, resolve, reject };
    this.#pending.add(
      id,
      functions.length === 0 && signal === undefined
        ? call
        : this.#withCleanup(call, id, functions, signal, lifetime === "call"),
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
      this.#callbacks.takeBack(functions);
      call.reject(abortedError(call.method, signal!));
    };
    signal?.addEventListener("abort", abort, { once: true });
    return {
      ...call,
      resolve: (result) => {
        signal?.removeEventListener("abort", abort);
        if (releases) this.#callbacks.takeBack(functions);
        call.resolve(result);
      },
      reject: (error) => {
        signal?.removeEventListener("abort", abort);
        if (releases || error.type === "timeout") this.#callbacks.takeBack(functions);
        call.reject(error);
      },
    };
  }

  /** Encodes and sends a message with functions in it; none stays handed out if that fails. */
  #send(functions: readonly FoundFunction[], encode: (ids: readonly number[]) => string): void {
    const { callbacksPerMessage, messageBytes } = this.#host.limits;
    if (functions.length > callbacksPerMessage) {
      throw new KiteError(
        "limitError",
        `${functions.length} functions in one message, at most ${callbacksPerMessage} may be ` +
          `(limit: callbacksPerMessage)`,
      );
    }
    const ids = this.#callbacks.handOut(functions);
    try {
      const text = encode(ids);
      if (exceedsBytes(text, messageBytes)) {
        const reason = `a message of more than ${messageBytes} bytes (limit: messageBytes)`;
        throw new KiteError("limitError", reason);
      }
      this.#hadMessage = true;
      this.#session.send(text);
    } catch (error) {
      this.#callbacks.takeBack(functions);
      throw error;
    }
  }

  #requestHead(): RequestHead {
    const credentials = this.#options.credentials();
    const { identity } = this.#host;
    if (
      this.#head === undefined || credentials !== this.#headCredentials ||
      identity !== this.#headIdentity
    ) {
      this.#head = this.#codec.head(identity, credentials);
      this.#headCredentials = credentials;
      this.#headIdentity = identity;
    }
    return this.#head;
  }

  /** A message that cannot be served: whoever waits for what it should bring is told. */
  #refuse({ type, reason, responseId, callId }: Extract<Incoming, { kind: "broken" }>): void {
    const call = callId === undefined ? undefined : this.#pending.take(callId);
    if (call !== undefined) {
      const wrong = type === "limitError" ? type : "invalidResponse";
      call.reject(new KiteError(wrong, `the answer to "${call.method}": ${reason}`));
    } else if (responseId !== undefined) {
      this.#answerError(responseId, new KiteError(type, reason), "");
    } else this.#host.report(`skipped a message: ${reason}`);
  }

  /** A message to one of our ids: the answer to a call, or a callback. Unknown ids are ignored. */
  #invoked(id: number, args: unknown[]): void {
    const call = this.#pending.take(id);
    if (call !== undefined) {
      const { error, result } = readAnswer(args);
      if (error === undefined) return call.resolve(result);
      call.reject(error);
      if (error.message.includes("token is expired")) this.#options.onTokenExpire?.(error);
      return;
    }
    const callback = this.#callbacks.get(id);
    if (callback === undefined) return;
    if (this.#options.concurrentCallbacks) {
      try {
        const outcome = callback(...args);
        if (outcome instanceof Promise) outcome.catch(this.#reportCallback);
      } catch (error) {
        this.#reportCallback(error);
      }
    } else if (!this.#queue.invoke(callback, args)) {
      const { queuedCallbacks } = this.#host.limits;
      this.#session.close(3008, `${queuedCallbacks} callbacks wait (limit: queuedCallbacks)`);
    }
  }

  readonly #reportCallback = (error: unknown): void => {
    this.#host.report("a callback threw", error);
  };

  /** The function that stands for callback `id` of the remote. */
  readonly #remoteFunction = (id: number): Callback => (...args: unknown[]): void => {
    if (!this.#isOpen) return;
    const functions = findFunctions(args, this.#invokeBounds);
    this.#send(functions, (ids) => this.#codec.invoke(id, args, functions, ids));
  };

  #serve(message: IncomingRequest): void {
    const { responseId } = message;
    const { limits } = this.#host;
    if (this.#running >= limits.inFlightRequests) {
      if (responseId === undefined) return;
      const reason = `${limits.inFlightRequests} requests run already (limit: inFlightRequests)`;
      return this.#answerError(responseId, new KiteError("requestLimitError", reason), "");
    }
    const request = this.#request(message);
    if (!this.#hadRequest) {
      this.#hadRequest = true;
      this.#options.onFirstRequest?.(request);
    }
    try {
      const result = this.#host.serve(request);
      if (result instanceof Promise) this.#serveLater(request, responseId, result);
      else this.#answer(request, responseId, result);
    } catch (error) {
      this.#answerThrown(request, responseId, error);
    }
  }

  #request(message: IncomingRequest): KiteRequest {
    if (this.#identity === undefined || message.kite !== this.#statedIdentity) {
      this.#statedIdentity = message.kite;
      this.#identity = readIdentity(message.kite, this.#host.limits.nameLength);
    }
    if (message.authentication !== this.#statedAuthentication) {
      this.#statedAuthentication = message.authentication;
      this.#authentication = readAuthentication(message.authentication);
    }
    return new KiteRequest(message, this.#identity, this.#authentication, this);
  }

  #serveLater(
    request: KiteRequest,
    responseId: number | undefined,
    result: Promise<unknown>,
  ): void {
    this.#running++;
    result.then(
      (value) => this.#answer(request, responseId, value),
      (error: unknown) => this.#answerThrown(request, responseId, error),
    ).finally(() => {
      if (--this.#running === 0) this.#tellIdle();
    });
  }

  #answer(request: KiteRequest, responseId: number | undefined, result: unknown): void {
    if (responseId === undefined || !this.#isOpen) return;
    try {
      const functions = findFunctions(result, this.#requestBounds);
      this.#send(functions, (ids) => this.#codec.result(responseId, result, functions, ids));
    } catch (error) {
      const { message } = asKiteError(error, "genericError");
      this.#answerError(responseId, new KiteError("genericError", message), request.id);
    }
  }

  #answerThrown(request: KiteRequest, responseId: number | undefined, error: unknown): void {
    if (responseId === undefined) this.#host.report(`${request.method} failed`, error);
    else this.#answerError(responseId, error, request.id);
  }

  #answerError(responseId: number, error: unknown, requestId: string): void {
    if (!this.#isOpen) return;
    let text = this.#codec.error(responseId, { ...errorObject(error, requestId) });
    const { messageBytes } = this.#host.limits;
    if (exceedsBytes(text, messageBytes)) {
      const reason = `an error of more than ${messageBytes} bytes (limit: messageBytes)`;
      const tooLong = new KiteError("genericError", reason);
      text = this.#codec.error(responseId, { ...errorObject(tooLong, requestId) });
    }
    this.#session.send(text);
  }

  #tellIdle(): void {
    const listeners = this.#onIdle;
    this.#onIdle = [];
    for (const listener of listeners) listener();
  }
}

function readAuthentication(value: unknown): Authentication | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { type, key } = value as { type?: unknown; key?: unknown };
  if (typeof type !== "string" || type === "") return undefined;
  return { type, key: typeof key === "string" ? key : "" };
}

function disconnected(): KiteError {
  return new KiteError("disconnect", "Remote kite has disconnected");
}

function abortedError(method: string, signal: AbortSignal): KiteError {
  return new KiteError("aborted", `the call of "${method}" was given up`, {
    cause: signal.reason,
  });
}

function asKiteError(error: unknown, type: "sendError" | "genericError"): KiteError {
  if (error instanceof KiteError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new KiteError(type, message, { cause: error });
}
