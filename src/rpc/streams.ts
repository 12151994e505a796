import type { Callback } from "../dnode/scrub.ts";
import type { StreamSource } from "../dnode/stream.ts";
import { KiteError } from "../protocol/errors.ts";
import type { Limits } from "../protocol/limits.ts";
import { disconnected } from "./disconnected.ts";
import type { InFlight } from "./in_flight.ts";
import type { FirstCredit } from "./first_credit.ts";
import { OutgoingStream, type OutgoingStreamHost } from "./outgoing_stream.ts";
import {
  IncomingStream,
  type IncomingStreamHost,
  type StreamReceivers,
} from "./incoming_stream.ts";

/** What {@linkcode Streams} need from the session. */
export interface StreamsHost {
  readonly limits: Limits;
  /** False once the session has ended. */
  readonly isOpen: boolean;
  /** Bytes that the network has not taken yet. */
  readonly unsentBytes: number;
  /** Characters of all messages that were sent. */
  readonly sentLength: number;
  /**
   * Hands functions out that no message holds.
   *
   * @returns their ids
   * @throws {KiteError} `limitError`
   */
  handOut(functions: readonly Callback[]): readonly number[];
  /** Forgets a function that the remote does not need any more. */
  forget(callback: Callback): void;
}

type Receiver = (args: unknown[], bytes: number) => void;

/**
 * The streams of one session, both ways. The remote's calls of their functions do not wait behind
 * other callbacks: a callback that reads a stream would wait for itself.
 */
export class Streams {
  readonly #host: StreamsHost;
  readonly #out: OutgoingStreamHost;
  readonly #in: IncomingStreamHost;
  /** What the remote may call, with the stream that it belongs to. */
  readonly #receivers = new Map<Callback, { readonly run: Receiver; readonly stream: object }>();
  /** Open streams with their two functions. */
  readonly #functions = new Map<
    OutgoingStream | IncomingStream<unknown>,
    readonly [Callback, Callback]
  >();

  constructor(host: StreamsHost, inFlight: InFlight) {
    this.#host = host;
    const { streamItems, streamBytes } = host.limits;
    const ended = (stream: OutgoingStream | IncomingStream<unknown>) => this.#remove(stream);
    this.#out = {
      streamItems,
      streamBytes,
      unsentBytes: () => host.unsentBytes,
      sentLength: () => host.sentLength,
      ended,
    };
    this.#in = {
      streamItems,
      streamBytes,
      hasRoom: (bytes) => inFlight.hasRoom(bytes),
      count: (bytes) => inFlight.add(bytes),
      started: (stream, receivers) => this.#started(stream, receivers),
      ended,
    };
  }

  /** Streams that are open. */
  get size(): number {
    return this.#functions.size;
  }

  /**
   * Opens a stream of ours.
   *
   * @throws {KiteError} `limitError`
   */
  open(source: StreamSource): OutgoingStream {
    this.#check();
    const stream = new OutgoingStream(source, this.#out);
    const { pull, cancel } = stream;
    this.#add(stream, [pull, cancel], [(args) => pull(...args), () => cancel()]);
    return stream;
  }

  /** Makes what stands for a stream of the remote. It takes nothing until it is iterated. */
  receive(pull: Callback, cancel: Callback): IncomingStream<unknown> {
    return new IncomingStream(pull, cancel, this.#in);
  }

  /**
   * Begins a stream of the remote before the call that brings it.
   *
   * @throws {KiteError} `disconnect`, `limitError`
   */
  expect(): { readonly stream: IncomingStream<unknown>; readonly firstCredit: FirstCredit } {
    const nothing = () => {};
    const stream = new IncomingStream(nothing, nothing, this.#in);
    const { credit, functions } = stream.expect();
    try {
      const [next, end] = this.#host.handOut(functions);
      return { stream, firstCredit: { credit, next: next!, end: end! } };
    } catch (error) {
      stream.settle(undefined);
      throw error;
    }
  }

  /**
   * The remote calls a function.
   *
   * @returns whether it is one of a stream
   */
  invoke(callback: Callback, args: unknown[], bytes: number): boolean {
    const receiver = this.#receivers.get(callback);
    if (receiver === undefined) return false;
    receiver.run(args, bytes);
    return true;
  }

  /** The remote will never again call a function: a stream of ours that it belongs to ends. */
  released(callback: Callback): void {
    const stream = this.#receivers.get(callback)?.stream;
    if (stream instanceof OutgoingStream) stream.close();
  }

  /** The session has ended. */
  end(error: KiteError): void {
    for (const stream of [...this.#functions.keys()]) stream.fail(error);
  }

  #started(stream: IncomingStream<unknown>, { next, end }: StreamReceivers): [Callback, Callback] {
    if (!this.#host.isOpen) throw disconnected();
    this.#check();
    const functions: [Callback, Callback] = [() => {}, () => {}];
    this.#add(stream, functions, [next, ([error]) => end(error)]);
    return functions;
  }

  #check(): void {
    const { streamsPerSession } = this.#host.limits;
    if (this.#functions.size < streamsPerSession) return;
    const reason = `${streamsPerSession} streams are open already (limit: streamsPerSession)`;
    throw new KiteError("limitError", reason);
  }

  #add(
    stream: OutgoingStream | IncomingStream<unknown>,
    functions: readonly [Callback, Callback],
    receivers: readonly [Receiver, Receiver],
  ): void {
    this.#functions.set(stream, functions);
    functions.forEach((each, i) => this.#receivers.set(each, { run: receivers[i]!, stream }));
  }

  #remove(stream: OutgoingStream | IncomingStream<unknown>): void {
    const functions = this.#functions.get(stream);
    if (functions === undefined) return;
    this.#functions.delete(stream);
    for (const each of functions) {
      this.#receivers.delete(each);
      this.#host.forget(each);
    }
  }
}
