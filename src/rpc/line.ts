import { type Callback, findFunctions, type FoundFunction } from "../dnode/scrub.ts";
import type { OpenedStream, ScrubBounds } from "../dnode/scrub.ts";
import type { StreamSource } from "../dnode/stream.ts";
import { KiteError } from "../protocol/errors.ts";
import type { Limits } from "../protocol/limits.ts";
import { exceedsBytes } from "../transport/byte_length.ts";
import type { Session } from "../transport/session.ts";
import { CallbackTable, type IdCounter } from "./callback_table.ts";
import type { Codec } from "./codec.ts";
import { CompactCodec } from "./compact_codec.ts";
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
 * What goes out over one session: values with functions in them, which the remote may call for as
 * long as the session lasts.
 */
export class Line implements StreamsHost, RemoteFunctionsHost {
  /** For a remote that knows no other messages. */
  readonly plain: DnodeCodec;
  /** For what is sent now. */
  codec: Codec;
  readonly extensions: Extensions;
  readonly ids: IdCounter;
  readonly limits: Limits;
  /** True once a message has come or gone. */
  hadMessage = false;
  /** False once the session has ended. */
  isOpen = true;
  /** Characters of all messages that were sent. */
  sentLength = 0;
  readonly #session: Session;
  readonly #warn: (message: string) => void;
  /** Made when the first function is handed out: most sessions never see one. */
  #callbacks: CallbackTable | undefined;
  #streams: Streams | undefined;
  #remoteFunctions: RemoteFunctions | undefined;
  readonly #flight: () => InFlight;
  readonly #requestBounds: ScrubBounds;
  #compact: CompactCodec | undefined;

  /**
   * @param warn is told before the remote holds too many functions
   * @param flight counts the bytes of messages whose work is not done
   */
  constructor(
    session: Session,
    plain: DnodeCodec,
    extensions: Extensions,
    ids: IdCounter,
    limits: Limits,
    warn: (message: string) => void,
    flight: () => InFlight,
  ) {
    this.#warn = warn;
    this.#flight = flight;
    this.#session = session;
    this.plain = plain;
    this.codec = plain;
    this.extensions = extensions;
    this.ids = ids;
    this.limits = limits;
    this.#requestBounds = this.#bounds(REQUEST_LEVELS);
  }

  /** The streams of the session, both ways; created with the first one. */
  get streams(): Streams {
    return this.#streams ??= new Streams(this, this.#flight());
  }

  /** The functions of the remote; created with the first one. */
  get remoteFunctions(): RemoteFunctions {
    return this.#remoteFunctions ??= new RemoteFunctions(this);
  }

  /** Streams that are open. */
  get openStreams(): number {
    return this.#streams?.size ?? 0;
  }

  /** For compact messages; created with the first. */
  get compact(): CompactCodec {
    return this.#compact ??= new CompactCodec(this.limits);
  }

  /** Reads the names of the remote's extensions: from now on they are used. */
  learn(names: unknown): void {
    if (this.extensions.learn(names) && this.extensions.has("compact/1")) this.codec = this.compact;
  }

  /** Bytes (estimated) that were sent and that the network has not taken yet. */
  get unsentBytes(): number {
    return this.#session.bufferedAmount;
  }

  /** Functions that the remote may call. */
  get callbacks(): number {
    return this.#callbacks?.size ?? 0;
  }

  /** The function of ours with an id. */
  callback(id: number): Callback | undefined {
    return this.#callbacks?.get(id);
  }

  /**
   * Runs a function of ours that belongs to a stream.
   *
   * @returns whether it is one
   */
  invokeStream(callback: Callback, args: unknown[], bytes: number): boolean {
    return this.#streams?.invoke(callback, args, bytes) ?? false;
  }

  /** The functions in the arguments of a request or in a result, see {@linkcode findFunctions}. */
  functionsIn(value: unknown): readonly FoundFunction[] {
    return findFunctions(value, this.#requestBounds);
  }

  /** The functions in the arguments of a callback. */
  functionsInArguments(args: readonly unknown[]): readonly FoundFunction[] {
    return findFunctions(args, this.#bounds(INVOKE_LEVELS));
  }

  /**
   * Encodes and sends a message with functions in it; none stays handed out if that fails.
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

  /**
   * Sends a message that stands as it does inside of a JSON string. Whoever made it has counted its
   * bytes: counting again would cost more than all the rest.
   *
   * @throws {KiteError} `limitError`
   */
  #sendEscaped(escaped: string): void {
    if (escaped.length > this.limits.messageBytes) throw this.#tooLong();
    this.hadMessage = true;
    const session = this.#session;
    if (session.sendEscaped !== undefined) session.sendEscaped(escaped);
    else session.send(JSON.parse(`"${escaped}"`));
  }

  /**
   * Sends a result that is JSON already.
   *
   * @param can the names of our extensions as JSON, if the remote does not know them yet
   * @throws {KiteError} `limitError`
   */
  sendRaw(responseId: number, escaped: string, can: string | undefined): void {
    if (can === undefined && this.codec instanceof CompactCodec) {
      this.sendPlain(this.codec.rawResult(responseId, JSON.parse(`"${escaped}"`)));
    } else this.#sendEscaped(this.plain.escapedResult(responseId, escaped, can));
  }

  /** Sends a text, whatever its size. */
  sendText(text: string): void {
    this.hadMessage = true;
    this.#session.send(text);
  }

  /** Undoes one handing out of the same functions, and ends the streams among them. */
  takeBack(functions: readonly FoundFunction[]): void {
    for (const { stream } of functions) stream?.close();
    this.#callbacks?.takeBack(functions);
  }

  /**
   * The call that handed functions out has ended: they stay while there is room. Streams that the
   * remote has begun to read stay open, and the others end.
   */
  leave(functions: readonly FoundFunction[]): void {
    for (const found of functions) {
      if (found.stream === undefined) this.#callbacks?.leave(found.callback);
      else if (!found.stream.isStarted) found.stream.close();
    }
  }

  /**
   * Takes a function back.
   *
   * @returns whether the remote held it
   */
  release(callback: Callback): boolean {
    return this.#callbacks?.release(callback) ?? false;
  }

  handOut(functions: readonly Callback[]): readonly number[] {
    return this.#handOut(functions.map((callback) => ({ path: [], callback })));
  }

  /** Forgets a function that the remote does not need any more. */
  forget(callback: Callback): void {
    this.#callbacks?.forget(callback);
  }

  /** The remote no longer needs functions of ours. */
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
   * The session has ended.
   *
   * @param error what open streams fail with
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
        `${functions.length} functions in one message, at most ${callbacksPerMessage} may be ` +
          `(limit: callbacksPerMessage)`,
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
   * Sends the text of a message without functions.
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
    const reason = `a message of more than ${messageBytes} bytes (limit: messageBytes)`;
    return new KiteError("limitError", reason);
  }

  readonly #openStream = (source: StreamSource): OpenedStream => this.streams.open(source);

  #bounds(levels: number): ScrubBounds {
    const { nesting, messageBytes } = this.limits;
    // The least that a value takes: a digit and a comma.
    return { nesting: nesting - levels, values: messageBytes / 2, openStream: this.#openStream };
  }
}
