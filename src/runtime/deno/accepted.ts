import {
  HttpConnection,
  type HttpEvents,
  type HttpOptions,
  type ServerStream,
} from "../http1/connection.ts";

/** One accepted connection. */
export class AcceptedConnection {
  /** `performance.now()` when the connection last became idle. */
  idleSince: number = performance.now();
  readonly #stream: ServerStream;
  readonly #events: HttpEvents;
  /** Bytes of responses that were not sent when they were last counted. */
  #unsent = 0;
  #isClosed = false;

  constructor(stream: ServerStream, options: HttpOptions, events: HttpEvents) {
    this.#stream = stream;
    this.#events = {
      idle: () => {
        this.idleSince = performance.now();
        this.#unsent = stream.bufferedAmount;
        events.idle();
      },
      busy: () => events.busy(),
      ended: () => this.#hasEnded(events),
    };
    stream.handler = new HttpConnection(stream, options, this.#events);
  }

  /** True if the peer has received more of a response since the last call, or since the request. */
  hasProgressed(): boolean {
    const before = this.#unsent;
    this.#unsent = this.#stream.bufferedAmount;
    return this.#unsent < before;
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
