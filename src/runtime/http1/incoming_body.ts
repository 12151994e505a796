import { joinBytes } from "../bytes.ts";
import { BodyDecoder } from "./body.ts";
import type { RequestHead } from "./head.ts";

const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

/** The connection that a body comes from. */
export interface BodySource {
  write(bytes: Uint8Array<ArrayBuffer>): void;
  pause(): void;
  resume(): void;
}

/** The body of one request, which arrives as fast as it is read. */
export class IncomingBody {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #decoder: BodyDecoder;
  readonly #source: BodySource;
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;

  constructor(head: RequestHead, source: BodySource) {
    this.#source = source;
    this.#decoder = new BodyDecoder(head.body);
    let mustContinue = head.expectsContinue;
    this.stream = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: () => {
        if (mustContinue) source.write(CONTINUE);
        mustContinue = false;
        source.resume();
      },
      cancel: () => {
        this.#controller = undefined;
        source.resume();
      },
    }, { highWaterMark: 0 });
  }

  /** True if the body is complete. */
  get isDone(): boolean {
    return this.#decoder.isDone;
  }

  /**
   * Receives bytes.
   *
   * @returns how many of them belong to the body
   * @throws {BadMessage} for malformed chunks
   */
  receive(bytes: Uint8Array<ArrayBuffer>): number {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    const used = this.#decoder.feed(bytes, (part) => void parts.push(part));
    if (this.#controller !== undefined && parts.length > 0) {
      // A copy, since the connection reuses its buffer. Many small chunks are read as one.
      this.#controller.enqueue(joinBytes(parts));
      if ((this.#controller.desiredSize ?? 0) < 0) this.#source.pause();
    }
    if (this.#decoder.isDone) {
      this.#controller?.close();
      this.#controller = undefined;
    }
    return used;
  }

  /** Fails the reader of an incomplete body. */
  fail(): void {
    this.#controller?.error(new Error("The body of the request is incomplete"));
    this.#controller = undefined;
  }
}
