import { HttpConnection, type HttpEvents, type HttpOptions } from "../http1/connection.ts";
import { ConnStream } from "./conn_stream.ts";

/** One accepted connection. */
export class AcceptedConnection {
  /** `performance.now()` when the connection last became idle. */
  idleSince: number = performance.now();
  readonly #accepted: Deno.TcpConn | Deno.TlsConn;
  readonly #stream: ConnStream;
  readonly #events: HttpEvents;
  #isClosed = false;

  constructor(accepted: Deno.TcpConn | Deno.TlsConn, options: HttpOptions, events: HttpEvents) {
    this.#accepted = accepted;
    this.#events = {
      idle: () => {
        this.idleSince = performance.now();
        events.idle();
      },
      busy: () => events.busy(),
      ended: () => this.#hasEnded(events),
    };
    this.#stream = new ConnStream(accepted, options.onError);
    this.#stream.handler = new HttpConnection(this.#stream, options, this.#events);
  }

  /** Starts to read requests. */
  start(): void {
    void this.#start();
  }

  /** Closes the connection and cancels its running requests. */
  close(): void {
    this.#stream.destroy();
    this.#events.ended();
  }

  async #start(): Promise<void> {
    try {
      // Otherwise an answer that leaves in two pieces waits 40 ms for the peer's acknowledgement.
      if ("setNoDelay" in this.#accepted) this.#accepted.setNoDelay(true);
      // During the TLS handshake, Deno 2.9 does not close the socket, so the connection counts as busy.
      else await this.#accepted.handshake();
    } catch {
      return this.close(); // not TLS, or the connection was lost: there is no one to answer
    }
    if (this.#isClosed) return;
    this.#events.idle();
    this.#stream.start();
  }

  #hasEnded(events: HttpEvents): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    events.ended();
  }
}
