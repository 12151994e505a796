import type { FoundFunction, OpenedStream } from "../dnode/scrub.ts";
import { isStreamSource } from "../dnode/stream.ts";
import { KiteError } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import { Timer } from "../runtime/timer.ts";
import { exceedsBytes } from "../transport/byte_length.ts";
import { errorObject } from "./answer.ts";
import type { IncomingRequest } from "./codec.ts";
import { asKiteError, type ConversationHost } from "./host.ts";
import type { InFlight } from "./in_flight.ts";
import type { Line } from "./line.ts";
import { closeSource } from "./outgoing_stream.ts";
import { RawJson } from "./raw_json.ts";
import { IncomingCall, type KiteRequest, type RequestOrigin } from "./request.ts";
import type { RequestLife } from "./request_life.ts";

const NO_IDS: readonly number[] = Object.freeze([]);
const NO_ROOM = "Too many bytes of requests run already (limit: inFlightBytes, totalInFlightBytes)";

/** The remote's calls over one session: each is served, and answered where an answer is wanted. */
export class CallsIn {
  /** What the remote said of itself in its latest call. */
  identity: KiteIdentity | undefined;
  readonly #host: ConversationHost;
  readonly #line: Line;
  readonly #inFlight: InFlight;
  readonly #origin: RequestOrigin;
  readonly #onFirst: ((request: KiteRequest) => void) | undefined;
  #running = 0;
  /** Those that run and whose answer is wanted, by response id. */
  readonly #waiting = new Map<number, RequestLife>();
  #onIdle: (() => void)[] | undefined;

  /** @param onFirst hears of the first request */
  constructor(
    host: ConversationHost,
    line: Line,
    inFlight: InFlight,
    origin: RequestOrigin,
    onFirst: ((request: KiteRequest) => void) | undefined,
  ) {
    this.#host = host;
    this.#line = line;
    this.#inFlight = inFlight;
    this.#origin = origin;
    this.#onFirst = onFirst;
  }

  /** Requests that run. */
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
    if (message.can !== undefined) this.#line.learn(message.can);
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

  /** Why no further request may run, if so. */
  #refusal(bytes: number): string | undefined {
    if (this.#running === 0) return this.#inFlight.hasRoom(bytes) ? undefined : NO_ROOM;
    const { inFlightRequests } = this.#line.limits;
    if (this.#running >= inFlightRequests) {
      return `${inFlightRequests} requests run already (limit: inFlightRequests)`;
    }
    return this.#inFlight.hasRoom(bytes) ? undefined : NO_ROOM;
  }

  /** The caller has given up a request: its answer is dropped. Unknown ids are ignored. */
  cancel(responseId: number): void {
    const life = this.#waiting.get(responseId);
    if (life === undefined) return;
    // It counts as running until its handler ends, which the caller cannot force.
    this.#waiting.delete(responseId);
    life.giveUp();
  }

  /**
   * Answers with an error.
   *
   * @param requestId the request that failed, or `""`
   */
  answerError(responseId: number, error: unknown, requestId: string): void {
    const line = this.#line;
    if (!line.isOpen) return;
    const { extensions } = line;
    const can = extensions.forAnswer;
    const codec = can === undefined ? line.codec : line.plain;
    let text = codec.error(responseId, { ...errorObject(error, requestId) }, can);
    const { messageBytes } = line.limits;
    if (exceedsBytes(text, messageBytes)) {
      const reason = `an error of more than ${messageBytes} bytes (limit: messageBytes)`;
      const tooLong = new KiteError("genericError", reason);
      text = codec.error(responseId, { ...errorObject(tooLong, requestId) }, can);
    }
    if (can !== undefined) extensions.announced();
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
    const line = this.#line;
    const can = line.extensions.forAnswer;
    if (can === undefined || !line.isOpen) return;
    line.sendText(line.plain.names(can));
    line.extensions.announced();
  }

  #answer(
    request: IncomingCall,
    responseId: number | undefined,
    result: unknown,
    startedAt: number,
  ): void {
    const line = this.#line;
    if (startedAt > 0) this.#host.callLog.ended(request, startedAt);
    if (responseId === undefined || !line.isOpen) return dropResult(result);
    try {
      const can = line.extensions.forAnswer;
      const escaped = RawJson.escapedOf(result);
      if (escaped !== undefined) line.sendRaw(responseId, escaped, can);
      else {
        const codec = can === undefined ? line.codec : line.plain;
        const functions = line.functionsIn(result);
        if (functions.length > 0) followStreams(functions, request);
        if (functions.length === 0) {
          line.sendPlain(codec.result(responseId, result, functions, NO_IDS, can));
        } else {
          line.send(functions, (ids) => codec.result(responseId, result, functions, ids, can));
        }
      }
      if (can !== undefined) line.extensions.announced();
    } catch (error) {
      // The caller's arguments are not at fault: it cannot act on more than a limit's name.
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

  /** A handler that was told to stop has thrown: no failure that anyone need hear of. */
  #endGivenUp(request: KiteRequest, error: unknown, startedAt: number): void {
    if (startedAt > 0) this.#host.callLog.ended(request, startedAt, error);
  }

  #finished(bytes: number): void {
    this.#inFlight.remove(bytes);
    // Those who wait for the last request to end go on when its answer is on its way.
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

/** Ends a stream that nobody waits for. */
function dropResult(result: unknown): void {
  if (typeof result === "object" && result !== null && isStreamSource(result)) closeSource(result);
}
