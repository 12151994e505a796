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
  #isClosed = false;

  constructor(stream: ServerStream, options: HttpOptions, events: HttpEvents) {
    this.#stream = stream;
    this.#events = {
      idle: () => {
        this.idleSince = performance.now();
        events.idle();
      },
      busy: () => events.busy(),
      ended: () => this.#hasEnded(events),
    };
    stream.handler = new HttpConnection(stream, options, this.#events);
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
