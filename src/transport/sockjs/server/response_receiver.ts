import type { HttpSession, Receiver } from "./http_session.ts";

/** How a transport writes a frame into its response (docs/protocol.md §1). */
export type Wrap = (frame: string) => string;

/**
 * The response to a request for frames. A polling one carries exactly one frame (a heartbeat is
 * one), a streaming one as many as its limit lets.
 *
 * One that has to wait is a stream from the start: the headers leave, and the stream's cancelling
 * tells of a client that has gone.
 */
export class ResponseReceiver implements Receiver {
  readonly #session: HttpSession;
  readonly #wrap: Wrap;
  readonly #isPolling: boolean;
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** What was written before the response was made. */
  #text: string;
  #room: number;
  #open = true;

  /**
   * @param prelude what a streaming response begins with, beyond its limit; `undefined` for polling
   * @param limit bytes after which a streaming response is ended, with the frame that reaches it
   */
  constructor(session: HttpSession, wrap: Wrap, prelude: string | undefined, limit: number) {
    this.#session = session;
    this.#wrap = wrap;
    this.#isPolling = prelude === undefined;
    this.#text = prelude ?? "";
    this.#room = this.#isPolling ? 0 : limit;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  get unsent(): number {
    const queued = -(this.#controller?.desiredSize ?? 0);
    return this.#open ? this.#text.length + queued : 0;
  }

  write(frame: string): void {
    if (!this.#open) return;
    const text = this.#wrap(frame);
    if (this.#controller === undefined) {
      this.#text += text;
      this.#room -= text.length;
    } else {
      const bytes = this.#encoder.encode(text);
      this.#controller.enqueue(bytes);
      this.#room -= bytes.length;
    }
    if (this.#room <= 0) this.end();
  }

  end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#controller?.close();
  }

  /** The client has left: what was not sent is lost. */
  cancel(): void {
    if (!this.#open) return;
    this.end();
    this.#interrupt();
  }

  #interrupt(): void {
    this.#open = false;
    this.#session.interrupted(this);
  }

  /** Makes the response, once what was there for it has been written. */
  respond(headers: Headers): Response {
    const text = this.#text;
    this.#text = "";
    if (this.#isPolling && !this.#open) return new Response(text, { headers });
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        if (text !== "") controller.enqueue(this.#encoder.encode(text));
        if (this.#open) this.#controller = controller;
        else controller.close();
      },
      cancel: () => this.#interrupt(),
    }, new ByteLengthQueuingStrategy({ highWaterMark: 0 }));
    return new Response(body, { headers });
  }
}
