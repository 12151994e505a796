import { type Callback, findFunctions, type FoundFunction } from "../dnode/scrub.ts";
import type { OpenedStream, ScrubBounds } from "../dnode/scrub.ts";
import type { StreamSource } from "../dnode/stream.ts";
import { KiteError } from "../protocol/errors.ts";
import type { Limits } from "../protocol/limits.ts";
import { exceedsBytes } from "../transport/byte_length.ts";
import type { Session } from "../transport/session.ts";
import { CallbackTable, type IdCounter } from "./callback_table.ts";
import type { Codec } from "./codec.ts";
import type { CompactCodec, NewCompactCodec } from "./compact_codec.ts";
import type { DnodeCodec } from "./dnode_codec.ts";
import type { Extensions } from "./extensions.ts";
import type { InFlight } from "./in_flight.ts";
import { RemoteFunctions, type RemoteFunctionsHost } from "./remote_functions.ts";
import { Streams, type StreamsHost } from "./streams.ts";

/** Levels that a message puts around the arguments of a request, and around a result. */
const REQUEST_LEVELS = 3;
/** Levels that a message puts around the arguments of a callback. */
const INVOKE_LEVELS = 1;

/**
 * Sends the messages of one session. It keeps the functions and streams that were sent with them,
 * which the remote can use while the session is open.
 */
export class MessageSender implements StreamsHost, RemoteFunctionsHost {
  /** The codec of plain dnode messages, which every remote understands. */
  readonly plain: DnodeCodec;
  /** The codec of new messages: {@linkcode compact} if the remote supports it. */
  codec: Codec;
  readonly extensions: Extensions;
  readonly ids: IdCounter;
  readonly session: Session;
  readonly limits: Limits;
  /** True after the first message in either direction. */
  hadMessage = false;
  /** False once the session has ended. */
  isOpen = true;
  /** Characters of all messages that were sent. */
  sentLength = 0;
  readonly #warn: (message: string) => void;
  /** Created with the first function that is sent; most sessions send none. */
  #callbacks: CallbackTable | undefined;
  #streams: Streams | undefined;
  #remoteFunctions: RemoteFunctions | undefined;
  readonly #flight: () => InFlight;
  readonly #requestBounds: ScrubBounds;
  readonly #newCompact: NewCompactCodec | undefined;
  #compact: CompactCodec | undefined;

  /**
   * @param warn called once, when the table of functions is almost full
   * @param flight returns the counter of bytes in flight
   */
  constructor(
    session: Session,
    plain: DnodeCodec,
    newCompact: NewCompactCodec | undefined,
    extensions: Extensions,
    ids: IdCounter,
    limits: Limits,
    warn: (message: string) => void,
    flight: () => InFlight,
  ) {
    this.#warn = warn;
    this.#flight = flight;
    this.session = session;
    this.plain = plain;
    this.#newCompact = newCompact;
    this.codec = plain;
    this.extensions = extensions;
    this.ids = ids;
    this.limits = limits;
    this.#requestBounds = this.#bounds(REQUEST_LEVELS);
  }

  /** The streams of the session in both directions; created with the first one. */
  get streams(): Streams {
    return this.#streams ??= new Streams(this, this.#flight());
  }

  /** The functions of the remote; created with the first one. */
  get remoteFunctions(): RemoteFunctions {
    return this.#remoteFunctions ??= new RemoteFunctions(this);
  }

  /** The number of open streams. */
  get openStreams(): number {
    return this.#streams?.size ?? 0;
  }

  /** The codec of compact messages, created with the first one; undefined if the kite has none. */
  get compact(): CompactCodec | undefined {
    return this.#compact ??= this.#newCompact?.(this.limits);
  }

  /** Reads the names of the remote's extensions, and uses them from now on. */
  learn(names: unknown): void {
    if (!this.extensions.learn(names) || !this.extensions.has("compact/1")) return;
    this.codec = this.compact ?? this.plain;
  }

  /** Bytes (estimated) that were sent and that the network has not accepted yet. */
  get unsentBytes(): number {
    return this.session.bufferedAmount;
  }

  /** The number of functions that the remote may call. */
  get callbacks(): number {
    return this.#callbacks?.size ?? 0;
  }

  /** Returns this side's function with an id. */
  callback(id: number): Callback | undefined {
    return this.#callbacks?.get(id);
  }

  /**
   * Runs a function of this side that belongs to a stream.
   *
   * @returns whether the function belongs to a stream
   */
  invokeStream(callback: Callback, args: unknown[], bytes: number): boolean {
    return this.#streams?.invoke(callback, args, bytes) ?? false;
  }

  /**
   * Finds the functions in the arguments of a request or in a result, see {@linkcode
   * findFunctions}.
   */
  functionsIn(value: unknown): readonly FoundFunction[] {
    return findFunctions(value, this.#requestBounds);
  }

  /** Finds the functions in the arguments of a callback. */
  functionsInArguments(args: readonly unknown[]): readonly FoundFunction[] {
    return findFunctions(args, this.#bounds(INVOKE_LEVELS));
  }

  /**
   * Encodes and sends a message that contains functions. If that fails, the remote cannot call
   * them.
   *
   * @throws {KiteError} `limitError`, or what `encode` throws
   */
  send(functions: readonly FoundFunction[], encode: (ids: readonly number[]) => string): void {
    if (functions.length === 0) return this.sendPlain(encode([]));
    try {
      const ids = this.#handOut(functions);
      try {
        this.sendPlain(encode(ids));
      } catch (error) {
        this.#callbacks?.undo(functions, ids);
        throw error;
      }
    } catch (error) {
      for (const { stream } of functions) stream?.close();
      throw error;
    }
  }

  /** Sends a text without checking its size. */
  sendText(text: string): void {
    this.hadMessage = true;
    this.session.send(text);
  }

  /** Takes back functions that were sent once, and ends their streams. */
  takeBack(functions: readonly FoundFunction[]): void {
    for (const { stream } of functions) stream?.close();
    this.#callbacks?.takeBack(functions);
  }

  /**
   * Keeps the functions of an ended call while there is room. Streams that the remote has begun to
   * read stay open; the others end.
   */
  leave(functions: readonly FoundFunction[]): void {
    for (const found of functions) {
      if (found.stream === undefined) this.#callbacks?.leave(found.callback);
      else if (!found.stream.isStarted) found.stream.close();
    }
  }

  /**
   * Takes a function back, so that the remote can no longer call it.
   *
   * @returns whether the remote could call it
   */
  release(callback: Callback): boolean {
    return this.#callbacks?.release(callback) ?? false;
  }

  /**
   * Hands functions out that no message holds.
   *
   * @returns their ids
   * @throws {KiteError} `limitError`
   */
  handOut(functions: readonly Callback[]): readonly number[] {
    return this.#handOut(functions.map((callback) => ({ path: [], callback })));
  }

  /** Removes a function that the remote no longer needs. */
  forget(callback: Callback): void {
    this.#callbacks?.forget(callback);
  }

  /** Removes functions that the remote no longer needs. */
  givenBack(ids: readonly number[]): void {
    for (const id of ids) {
      const callback = this.#callbacks?.giveBack(id);
      if (callback !== undefined) this.#streams?.released(callback);
    }
  }

  tellsReleases(): boolean {
    return this.isOpen && this.extensions.has("release/1");
  }

  invoke(id: number, args: readonly unknown[]): void {
    if (!this.isOpen) return;
    const functions = this.functionsInArguments(args);
    this.send(functions, (ids) => this.codec.invoke(id, args, functions, ids));
  }

  sendReleases(ids: readonly number[]): void {
    this.sendText(this.codec.release(ids));
  }

  sendRevocations(ids: readonly number[]): void {
    this.sendText(this.codec.revoke(ids));
  }

  /**
   * Handles the end of the session.
   *
   * @param error creates the error of open streams
   */
  end(error: () => KiteError): void {
    this.isOpen = false;
    this.#streams?.end(error());
    this.#callbacks?.clear();
  }

  /** @throws {KiteError} `limitError` */
  #handOut(functions: readonly FoundFunction[]): readonly number[] {
    const { callbacksPerMessage, callbacksPerSession } = this.limits;
    if (functions.length > callbacksPerMessage) {
      throw new KiteError(
        "limitError",
        `Cannot send ${functions.length} functions in one message: must be at most ` +
          `${callbacksPerMessage} (limit: callbacksPerMessage)`,
      );
    }
    this.#callbacks ??= new CallbackTable(
      this.ids,
      callbacksPerSession,
      this.#warn,
      (ids) => this.remoteFunctions.revoke(ids),
    );
    return this.#callbacks.handOut(functions);
  }

  /**
   * Sends an encoded message, after checking its size.
   *
   * @throws {KiteError} `limitError`
   */
  sendPlain(text: string): void {
    if (exceedsBytes(text, this.limits.messageBytes)) throw this.#tooLong();
    this.sentLength += text.length;
    this.sendText(text);
  }

  #tooLong(): KiteError {
    const { messageBytes } = this.limits;
    const reason = `Cannot send a message: larger than ${messageBytes} bytes (limit: messageBytes)`;
    return new KiteError("limitError", reason);
  }

  readonly #openStream = (source: StreamSource): OpenedStream => this.streams.open(source);

  #bounds(levels: number): ScrubBounds {
    const { nesting, messageBytes } = this.limits;
    // A value takes at least two bytes: a digit and a comma.
    return { nesting: nesting - levels, values: messageBytes / 2, openStream: this.#openStream };
  }
}
