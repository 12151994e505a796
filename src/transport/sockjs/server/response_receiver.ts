import type { HttpSession, Receiver } from "./http_session.ts";

/** Encodes a frame for the response of a transport (docs/protocol.md §1). */
export type Wrap = (frame: string) => string;

/**
 * The response to a request for frames. A polling response has exactly one frame (which may be a
 * heartbeat), a streaming response as many as its limit allows.
 *
 * A response that has to wait is a stream from the start: its headers are sent immediately, and its
 * cancellation reports that the client has left.
 */
export class ResponseReceiver implements Receiver {
  readonly #session: HttpSession;
  readonly #wrap: Wrap;
  readonly #isPolling: boolean;
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** The text written before the response was created. */
  #text: string;
  #left: number;
  #open = true;

  /**
   * @param prelude the beginning of a streaming response, not counted by the limit; `undefined` for
   * polling
   * @param limit bytes after which a streaming response ends, including the frame that exceeds it
   */
  constructor(session: HttpSession, wrap: Wrap, prelude: string | undefined, limit: number) {
    this.#session = session;
    this.#wrap = wrap;
    this.#isPolling = prelude === undefined;
    this.#text = prelude ?? "";
    this.#left = this.#isPolling ? 0 : limit;
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
      this.#left -= text.length;
    } else {
      const bytes = this.#encoder.encode(text);
      this.#controller.enqueue(bytes);
      this.#left -= bytes.length;
    }
    if (this.#left <= 0) this.end();
  }

  end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#controller?.close();
  }

  /** Handles a client that has left; data not sent yet is lost. */
  cancel(): void {
    if (!this.#open) return;
    this.end();
    this.#interrupt();
  }

  #interrupt(): void {
    this.#open = false;
    this.#session.interrupted(this);
  }

  /** Creates the response, after the available frames have been written. */
  respond(headers: Headers): Response {
    const text = this.#text;
    this.#text = "";
    if (this.#isPolling && !this.#open) return new Response(text, { headers });
    // Proxies such as nginx would otherwise hold frames back.
    if (!this.#isPolling) headers.set("x-accel-buffering", "no");
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
