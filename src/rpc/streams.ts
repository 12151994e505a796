import type { Callback } from "../dnode/scrub.ts";
import type { StreamSource } from "../dnode/stream.ts";
import { KiteError } from "../protocol/errors.ts";
import type { Limits } from "../protocol/limits.ts";
import { disconnected } from "./disconnected.ts";
import type { InFlight } from "./in_flight.ts";
import { OutgoingStream, type OutgoingStreamHost } from "./outgoing_stream.ts";
import {
  IncomingStream,
  type IncomingStreamHost,
  type StreamReceivers,
} from "./incoming_stream.ts";

/** The parts of a session that {@linkcode Streams} use. */
export interface StreamsHost {
  readonly limits: Limits;
  /** False once the session has ended. */
  readonly isOpen: boolean;
  /** Bytes that the network has not accepted yet. */
  readonly unsentBytes: number;
  /** Characters of all messages that were sent. */
  readonly sentLength: number;
  /** Removes a function that the remote no longer needs. */
  forget(callback: Callback): void;
}

type Receiver = (args: unknown[], bytes: number) => void;

/**
 * The streams of one session, in both directions. The remote's calls of their functions are not
 * queued behind other callbacks, since a callback that reads a stream would then wait for itself.
 */
export class Streams {
  readonly #host: StreamsHost;
  readonly #out: OutgoingStreamHost;
  readonly #in: IncomingStreamHost;
  /** The stream of each function that the remote may call. */
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

  /** The number of open streams. */
  get size(): number {
    return this.#functions.size;
  }

  /**
   * Opens a stream to the remote.
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

  /** Creates the local side of a stream of the remote. It requests nothing until it is iterated. */
  receive(pull: Callback, cancel: Callback): IncomingStream<unknown> {
    return new IncomingStream(pull, cancel, this.#in);
  }

  /**
   * Handles the remote's call of a function.
   *
   * @returns whether the function belongs to a stream
   */
  invoke(callback: Callback, args: unknown[], bytes: number): boolean {
    const receiver = this.#receivers.get(callback);
    if (receiver === undefined) return false;
    receiver.run(args, bytes);
    return true;
  }

  /** Handles that the remote released a function: the outgoing stream that it belongs to ends. */
  released(callback: Callback): void {
    const stream = this.#receivers.get(callback)?.stream;
    if (stream instanceof OutgoingStream) stream.close();
  }

  /** Ends all streams, after the end of the session. */
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
