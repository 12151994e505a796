import { statusLine } from "./answer.ts";
import {
  type Exchange,
  type ExchangeParts,
  LONGEST_ANSWER_HEAD,
  type Refusal,
} from "./exchange.ts";
import { encodeHead, parseAnswer } from "./head.ts";
import type { Input } from "./input.ts";
import type { Stream } from "./stream.ts";
import { ConnectTimeout, type Link } from "./upstream.ts";

/** Milliseconds for the other side to end after one side has ended. */
const LINGER = 2_000;

const TOO_SLOW: Refusal = {
  status: 504,
  text: "The kite did not answer the handshake in time\n",
};
const LEFT: Refusal = { status: 499, text: "" };
const UNREACHABLE: Refusal = { status: 502, text: "The kite cannot be reached\n" };

/**
 * Forwards a WebSocket handshake. After the upstream has accepted it, bytes are copied both ways
 * without parsing. If one side reads slowly, the other one has to wait.
 */
export class Splice implements Exchange {
  readonly #parts: ExchangeParts;
  #link: Link | undefined;
  /** Milliseconds without progress until it is ended. */
  #patience: number;
  #active: number = performance.now();
  #isJoined = false;
  #isOver = false;
  #failure: Refusal | undefined;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#patience = parts.options.limits.connectTimeout;
  }

  /**
   * Joins the client and the kite until one of them ends.
   *
   * @returns false, since the connection cannot be used again; or what to answer, if nothing was yet
   */
  async run(): Promise<false | Refusal> {
    try {
      const refusal = await this.#open();
      if (refusal !== undefined) return refusal;
      await this.#join(this.#link!);
      return false;
    } catch (error) {
      if (this.#isJoined) throw error;
      if (this.#failure !== undefined) return this.#failure;
      return error instanceof ConnectTimeout ? TOO_SLOW : UNREACHABLE;
    } finally {
      this.#isOver = true;
      this.#link?.close();
    }
  }

  sweep(now: number): void {
    if (now - this.#active < this.#patience) return;
    this.#fail(TOO_SLOW);
  }

  destroy(): void {
    this.#fail(LEFT);
  }

  #fail(failure: Refusal): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = failure;
    this.#link?.close();
    if (this.#isJoined) this.#parts.stream.close();
  }

  /** Sends the handshake, and passes on that it was accepted. */
  async #open(): Promise<Refusal | undefined> {
    const { stream, input, decision, upstreams, options } = this.#parts;
    const link = this.#link = await upstreams.open(decision.upstream);
    if (this.#isOver) throw new Error("the client has left");
    const left = (): void => {
      if (!this.#isJoined) this.#fail(LEFT);
    };
    if (input.bytes.length === 0) input.more().then((isThere) => isThere || left(), left);
    await link.stream.write(encodeHead(`GET ${decision.target} HTTP/1.1`, decision.headers));
    const text = await link.input.readHead(LONGEST_ANSWER_HEAD);
    if (text === undefined) throw new Error("the kite closed the connection");
    const { status, rawHeaders } = parseAnswer(text, "GET");
    if (status !== 101) {
      return { status: status >= 400 ? status : 502, text: "The kite refused the WebSocket\n" };
    }
    if (this.#isOver) throw new Error("the client has left");
    this.#isJoined = true;
    this.#patience = options.limits.idleTimeout;
    this.#active = performance.now();
    const headers = ["Upgrade", "websocket", "Connection", "Upgrade"];
    await stream.write(
      encodeHead(statusLine(101), [...headers, ...options.answerHeaders(rawHeaders)]),
    );
    return undefined;
  }

  /** Copies both ways until both sides have ended, or are silent for too long. */
  async #join(link: Link): Promise<void> {
    const { stream, input } = this.#parts;
    await Promise.all([
      this.#copy(input, stream, link.stream),
      this.#copy(link.input, link.stream, stream),
    ]);
  }

  async #copy(input: Input, from: Stream, to: Stream): Promise<void> {
    try {
      // First what has arrived behind the handshake.
      while (input.bytes.length > 0 || input.isReading) {
        if (input.bytes.length === 0 && !await input.more()) return;
        const { bytes } = input;
        await to.write(bytes);
        input.skip(bytes.length);
      }
      for (;;) {
        const bytes = await from.read();
        if (bytes === null) return;
        this.#active = performance.now();
        await to.write(bytes);
      }
    } catch {
      // One side was lost.
    } finally {
      this.#patience = LINGER;
      this.#active = performance.now();
      await to.end();
    }
  }
}
