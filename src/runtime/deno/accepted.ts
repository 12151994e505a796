import {
  HttpConnection,
  type HttpEvents,
  type HttpOptions,
  type ServerStream,
} from "../http1/connection.ts";

/** Idle timeouts after which a peer that reads nothing of a response is disconnected. */
export const STALLS = 6;

/** One accepted connection. */
export class AcceptedConnection {
  /** `performance.now()` when the connection last became idle. */
  idleSince: number = performance.now();
  readonly #stream: ServerStream;
  readonly #events: HttpEvents;
  /** Bytes of responses that were not sent when they were last counted. */
  #unsent = 0;
  /** How often they have been counted since the peer last read any. */
  #stalls = 0;
  #isClosed = false;

  constructor(stream: ServerStream, options: HttpOptions, events: HttpEvents) {
    this.#stream = stream;
    this.#events = {
      idle: () => {
        this.idleSince = performance.now();
        this.#unsent = stream.bufferedAmount;
        this.#stalls = 0;
        events.idle();
      },
      busy: () => events.busy(),
      ended: () => this.#hasEnded(events),
    };
    stream.handler = new HttpConnection(stream, options, this.#events);
  }

  /** True if the peer still receives a response. Call it once in each idle timeout. */
  isReceiving(): boolean {
    const before = this.#unsent;
    this.#unsent = this.#stream.bufferedAmount;
    this.#stalls = this.#unsent < before ? 0 : this.#stalls + 1;
    return this.#unsent > 0 && this.#stalls < STALLS;
  }

  /** Closes the connection and cancels its running requests. */
  close(): void {
    this.#stream.destroy();
    this.#events.ended();
  }

  #hasEnded(events: HttpEvents): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    events.ended();
  }
}
