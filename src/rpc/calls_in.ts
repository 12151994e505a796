import { KiteError } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import { Timer } from "../runtime/timer.ts";
import { exceedsBytes } from "../transport/byte_length.ts";
import { errorObject } from "./answer.ts";
import type { IncomingRequest } from "./codec.ts";
import { asKiteError, type ConversationHost } from "./host.ts";
import type { Line } from "./line.ts";
import { KiteRequest, type RequestOrigin } from "./request.ts";

/** The remote's calls over one session: each is served, and answered where an answer is wanted. */
export class CallsIn {
  /** What the remote said of itself in its latest call. */
  identity: KiteIdentity | undefined;
  readonly #host: ConversationHost;
  readonly #line: Line;
  readonly #origin: RequestOrigin;
  readonly #onFirst: ((request: KiteRequest) => void) | undefined;
  #running = 0;
  #onIdle: (() => void)[] | undefined;

  /** @param onFirst hears of the first request */
  constructor(
    host: ConversationHost,
    line: Line,
    origin: RequestOrigin,
    onFirst: ((request: KiteRequest) => void) | undefined,
  ) {
    this.#host = host;
    this.#line = line;
    this.#origin = origin;
    this.#onFirst = onFirst;
  }

  /** Requests that run. */
  get size(): number {
    return this.#running;
  }

  /** Serves a request. */
  serve(message: IncomingRequest): void {
    const { responseId } = message;
    const { inFlightRequests } = this.#line.limits;
    if (this.#running >= inFlightRequests) {
      if (responseId === undefined) return;
      const reason = `${inFlightRequests} requests run already (limit: inFlightRequests)`;
      return this.answerError(responseId, new KiteError("requestLimitError", reason), "");
    }
    const isFirst = this.identity === undefined;
    this.identity = message.kite;
    const request = new KiteRequest(message, this.#origin);
    if (isFirst) this.#onFirst?.(request);
    try {
      const result = this.#host.serve(request);
      if (result instanceof Promise) this.#serveLater(request, responseId, result);
      else this.#answer(request, responseId, result);
    } catch (error) {
      this.#answerThrown(request, responseId, error);
    }
  }

  /** Answers with an error. @param requestId the request that failed, or `""` */
  answerError(responseId: number, error: unknown, requestId: string): void {
    const line = this.#line;
    if (!line.isOpen) return;
    let text = line.codec.error(responseId, { ...errorObject(error, requestId) });
    const { messageBytes } = line.limits;
    if (exceedsBytes(text, messageBytes)) {
      const reason = `an error of more than ${messageBytes} bytes (limit: messageBytes)`;
      const tooLong = new KiteError("genericError", reason);
      text = line.codec.error(responseId, { ...errorObject(tooLong, requestId) });
    }
    line.sendText(text);
  }

  /** Resolves when no request is running, or after `deadline` milliseconds. */
  idle(deadline: number): Promise<void> {
    if (this.#running === 0 || !this.#line.isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = new Timer(resolve, deadline);
      this.#onIdle ??= [];
      this.#onIdle.push(() => {
        timer.clear();
        resolve();
      });
    });
  }

  /** The session has ended: nobody waits for what still runs. */
  end(): void {
    this.#tellIdle();
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
    const line = this.#line;
    if (responseId === undefined || !line.isOpen) return;
    try {
      const functions = line.functionsIn(result);
      line.send(functions, (ids) => line.codec.result(responseId, result, functions, ids));
    } catch (error) {
      // The caller's arguments are not at fault: it cannot act on more than a limit's name.
      const { type, message } = asKiteError(error, "genericError");
      const told = type === "limitError" ? type : "genericError";
      this.answerError(responseId, new KiteError(told, message), request.id);
    }
  }

  #answerThrown(request: KiteRequest, responseId: number | undefined, error: unknown): void {
    if (responseId === undefined) this.#host.report(`${request.method} failed`, error);
    else this.answerError(responseId, error, request.id);
  }

  #tellIdle(): void {
    const listeners = this.#onIdle ?? [];
    this.#onIdle = undefined;
    for (const listener of listeners) listener();
  }
}
