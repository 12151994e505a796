import type { FoundFunction, OpenedStream } from "../dnode/scrub.ts";
import { isStreamSource } from "../dnode/stream.ts";
import { KiteError } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import { Timer } from "../runtime/timer.ts";
import { exceedsBytes } from "../transport/byte_length.ts";
import { errorObject } from "./answer.ts";
import type { IncomingRequest } from "./codec.ts";
import { EncodedResult } from "./encoded_result.ts";
import { asKiteError, type ConversationHost } from "./host.ts";
import { FIRST_CREDIT, readFirstCredit } from "./first_credit.ts";
import type { InFlight } from "./in_flight.ts";
import type { MessageSender } from "./message_sender.ts";
import { closeSource } from "./outgoing_stream.ts";
import { IncomingCall, type KiteRequest, type RequestOrigin } from "./request.ts";
import type { RequestLife } from "./request_life.ts";

const NO_IDS: readonly number[] = Object.freeze([]);
const NO_ROOM = "Too many bytes are in flight (limit: inFlightBytes, totalInFlightBytes)";

/** Serves and answers the remote's calls over one session. */
export class CallsIn {
  /** The identity that the remote sent with its latest call. */
  identity: KiteIdentity | undefined;
  readonly #host: ConversationHost;
  readonly #sender: MessageSender;
  readonly #inFlight: InFlight;
  readonly #origin: RequestOrigin;
  readonly #onFirst: ((request: KiteRequest) => void) | undefined;
  #running = 0;
  /** Running requests that need an answer, by response id. */
  readonly #waiting = new Map<number, RequestLife>();
  #onIdle: (() => void)[] | undefined;

  /** @param onFirst called with the first request */
  constructor(
    host: ConversationHost,
    sender: MessageSender,
    inFlight: InFlight,
    origin: RequestOrigin,
    onFirst: ((request: KiteRequest) => void) | undefined,
  ) {
    this.#host = host;
    this.#sender = sender;
    this.#inFlight = inFlight;
    this.#origin = origin;
    this.#onFirst = onFirst;
  }

  /** The number of running requests. */
  get size(): number {
    return this.#running;
  }

  /**
   * Serves a request.
   *
   * @param bytes the size of its message
   */
  serve(message: IncomingRequest, bytes: number): void {
    const { responseId } = message;
    const refusal = this.#refusal(bytes);
    if (refusal !== undefined) {
      if (responseId === undefined) return;
      return this.answerError(responseId, new KiteError("requestLimitError", refusal), "");
    }
    if (message.can !== undefined) this.#sender.learn(message.can);
    const isFirst = this.identity === undefined;
    this.identity = message.kite;
    const request = new IncomingCall(message, this.#origin);
    if (isFirst) this.#onFirst?.(request);
    const { isVerbose } = this.#host.callLog;
    const startedAt = isVerbose ? performance.now() : 0;
    try {
      const result = this.#host.serve(request);
      if (result instanceof Promise) {
        return this.#serveLater(request, responseId, result, bytes, startedAt);
      }
      IncomingCall.end(request);
      this.#answer(request, responseId, result, startedAt);
    } catch (error) {
      IncomingCall.end(request);
      this.#answerThrown(request, responseId, error, startedAt);
    }
  }

  /** Returns why a further request is refused; undefined if it can run. */
  #refusal(bytes: number): string | undefined {
    const { inFlightRequests } = this.#sender.limits;
    if (this.#running >= inFlightRequests) {
      return `${inFlightRequests} requests are running already (limit: inFlightRequests)`;
    }
    return this.#inFlight.hasRoom(bytes) ? undefined : NO_ROOM;
  }

  /** Cancels a request: its signal is aborted, and no answer is sent. Unknown ids are ignored. */
  cancel(responseId: number): void {
    const life = this.#waiting.get(responseId);
    if (life === undefined) return;
    // It counts as running until its handler has finished, which may take longer.
    this.#waiting.delete(responseId);
    life.giveUp();
  }

  /**
   * Answers with an error.
   *
   * @param requestId the request that failed, or `""`
   */
  answerError(responseId: number, error: unknown, requestId: string): void {
    const sender = this.#sender;
    if (!sender.isOpen) return;
    const { extensions } = sender;
    const can = extensions.forAnswer;
    const codec = can === undefined ? sender.codec : sender.plain;
    let text = codec.error(responseId, { ...errorObject(error, requestId) }, can);
    const { messageBytes } = sender.limits;
    if (exceedsBytes(text, messageBytes)) {
      const reason =
        `Cannot send the error: larger than ${messageBytes} bytes (limit: messageBytes)`;
      const tooLong = new KiteError("genericError", reason);
      text = codec.error(responseId, { ...errorObject(tooLong, requestId) }, can);
    }
    if (can !== undefined) extensions.announced();
    sender.sendText(text);
  }

  /** Resolves when no request is running, or after `deadline` milliseconds. */
  idle(deadline: number): Promise<void> {
    if (this.#running === 0 || !this.#sender.isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = new Timer(resolve, deadline);
      this.#onIdle ??= [];
      this.#onIdle.push(() => {
        timer.clear();
        resolve();
      });
    });
  }

  /** Handles the end of the session: {@linkcode idle} waits no longer. */
  end(): void {
    this.#tellIdle();
  }

  #serveLater(
    request: IncomingCall,
    responseId: number | undefined,
    result: Promise<unknown>,
    bytes: number,
    startedAt: number,
  ): void {
    this.#running++;
    this.#inFlight.add(bytes);
    const life = IncomingCall.lifeOf(request);
    if (responseId !== undefined) this.#waiting.set(responseId, life);
    this.#nameExtensions();
    const finish = (): void => {
      life.end();
      if (responseId !== undefined && this.#waiting.get(responseId) === life) {
        this.#waiting.delete(responseId);
      }
      this.#finished(bytes);
    };
    result.then(
      (value) => {
        finish();
        this.#answer(request, life.isGivenUp ? undefined : responseId, value, startedAt);
      },
      (error: unknown) => {
        finish();
        if (life.isGivenUp) return this.#endGivenUp(request, error, startedAt);
        this.#answerThrown(request, responseId, error, startedAt);
      },
    );
  }

  /** The caller is told before the first answer, which may take long: it may cancel the call. */
  #nameExtensions(): void {
    const sender = this.#sender;
    const can = sender.extensions.forAnswer;
    if (can === undefined || !sender.isOpen) return;
    sender.sendText(sender.plain.names(can));
    sender.extensions.announced();
  }

  #answer(
    request: IncomingCall,
    responseId: number | undefined,
    result: unknown,
    startedAt: number,
  ): void {
    const sender = this.#sender;
    if (startedAt > 0) this.#host.callLog.ended(request, startedAt);
    if (responseId === undefined || !sender.isOpen) return dropResult(result);
    try {
      const can = sender.extensions.forAnswer;
      if (EncodedResult.is(result)) result.send(sender, responseId, can);
      else {
        const codec = can === undefined ? sender.codec : sender.plain;
        const functions = sender.functionsIn(result);
        if (functions.length > 0) followStreams(functions, request);
        if (functions.length === 0) {
          sender.sendPlain(codec.result(responseId, result, functions, NO_IDS, can));
        } else {
          sender.send(functions, (ids) => codec.result(responseId, result, functions, ids, can));
          beginStream(functions, request, sender);
        }
      }
      if (can !== undefined) sender.extensions.announced();
    } catch (error) {
      // The arguments were valid, so the error's type must not be `argumentError`.
      const { type, message } = asKiteError(error, "genericError");
      const told = type === "limitError" ? type : "genericError";
      this.answerError(responseId, new KiteError(told, message), request.id);
      this.#host.report("the result of a call could not be sent", error);
    }
  }

  #answerThrown(
    request: KiteRequest,
    responseId: number | undefined,
    error: unknown,
    startedAt: number,
  ): void {
    const { callLog } = this.#host;
    callLog.failed(request, error, responseId !== undefined);
    if (startedAt > 0) callLog.ended(request, startedAt, error);
    if (responseId !== undefined) this.answerError(responseId, error, request.id);
  }

  /**
   * Ends a cancelled call whose handler has thrown. That is expected, and not logged as a failure.
   */
  #endGivenUp(request: KiteRequest, error: unknown, startedAt: number): void {
    if (startedAt > 0) this.#host.callLog.ended(request, startedAt, error);
  }

  #finished(bytes: number): void {
    this.#inFlight.remove(bytes);
    // `idle` resolves after the last answer has been sent.
    if (--this.#running === 0 && this.#onIdle !== undefined) queueMicrotask(() => this.#tellIdle());
  }

  #tellIdle(): void {
    const listeners = this.#onIdle ?? [];
    this.#onIdle = undefined;
    for (const listener of listeners) listener();
  }
}

/** Aborts the signal of a request when its caller leaves the streams in the answer. */
function followStreams(functions: readonly FoundFunction[], request: IncomingCall): void {
  const streams = new Set<OpenedStream>();
  for (const { stream } of functions) if (stream !== undefined) streams.add(stream);
  if (streams.size === 0) return;
  const life = IncomingCall.lifeOf(request);
  life.end();
  let isComplete = true;
  for (const stream of streams) {
    stream.onEnd = (isWhole) => {
      isComplete &&= isWhole;
      streams.delete(stream);
      if (streams.size > 0) return;
      if (isComplete) life.close();
      else life.leave();
    };
  }
}

/** Begins the stream that is the whole answer, if its caller gave credit with the request. */
function beginStream(
  [first]: readonly FoundFunction[],
  request: IncomingCall,
  { remoteFunctions }: MessageSender,
): void {
  if (first?.stream === undefined || first.path.length !== 1) return;
  const allowed = readFirstCredit(request.meta[FIRST_CREDIT]);
  if (allowed === undefined) return;
  const { credit, next, end } = allowed;
  first.stream.pull(credit, remoteFunctions.make(next), remoteFunctions.make(end));
}

/** Ends the stream of a result that is not sent. */
function dropResult(result: unknown): void {
  if (typeof result === "object" && result !== null && isStreamSource(result)) closeSource(result);
}
