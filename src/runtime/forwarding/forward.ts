import { Buffer } from "node:buffer";
import { statusLine } from "./answer.ts";
import { BodyReader, MessageWriter, mustFlush } from "./body.ts";
import {
  type Exchange,
  type ExchangeParts,
  LONGEST_ANSWER_HEAD,
  type Refusal,
} from "./exchange.ts";
import { type Answer, encodeHead, type Framing } from "./head.ts";
import { ConnectTimeout, type KnownAnswer, type Link } from "./upstream.ts";

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
const TOO_SLOW: Refusal = { status: 504, text: "The kite did not accept the connection in time\n" };
const UNREACHABLE: Refusal = { status: 502, text: "The kite cannot be reached\n" };

/**
 * Forwards a request to an upstream and streams its answer back. If one side reads slowly, the other
 * one has to wait, since the next bytes are read when the last ones are written.
 */
export class Forwarding implements Exchange {
  readonly #parts: ExchangeParts;
  /** When the request began; `performance.now()`. */
  readonly #began: number;
  #isConnecting = false;
  #link: Link | undefined;
  #active: number = performance.now();
  #isUploading = true;
  /** Writes the answer for the client. */
  #writer: MessageWriter | undefined;
  #isOver = false;
  #failure: Refusal | undefined;

  constructor(parts: ExchangeParts, began: number) {
    this.#parts = parts;
    this.#began = began;
  }

  /**
   * Forwards the request.
   *
   * @returns whether the client may send another one; or what to answer, if nothing was yet
   * @throws if the answer was cut
   */
  async run(): Promise<boolean | Refusal> {
    try {
      const { upstreams, decision } = this.#parts;
      const link = this.#link = upstreams.take(decision.upstream) ?? await this.#connect();
      if (this.#isOver) throw new Error("the client has left");
      void this.#upload(link);
      const answer = await this.#download(link);
      this.#isOver = true;
      const isComplete = answer.keepsAlive && !this.#isUploading && link.input.bytes.length === 0;
      if (isComplete) upstreams.give(decision.upstream, link);
      else link.close();
      return this.#parts.request.keepsAlive && !this.#isUploading;
    } catch (error) {
      this.#isOver = true;
      this.#link?.close();
      // The client would take anything that followed for a part of the answer.
      if (this.#hasAnswer) throw new Error("the answer was cut", { cause: error });
      return this.#failure ?? (error instanceof ConnectTimeout ? TOO_SLOW : UNREACHABLE);
    }
  }

  sweep(now: number): void {
    const { limits } = this.#parts.options;
    if (this.#isConnecting) return;
    if (this.#isUploading && now - this.#began >= limits.requestTimeout) {
      this.#fail(408, "The request is too slow\n");
    } else if (now - this.#active >= limits.idleTimeout) {
      this.#fail(504, "The kite did not answer in time\n");
    }
  }

  destroy(): void {
    this.#fail(499, "");
  }

  /** Ends the exchange, so that `run` returns. */
  #fail(status: number, text: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = { status, text };
    this.#link?.close();
    // The client may not be reading.
    if (this.#hasAnswer) this.#parts.stream.close();
  }

  /** True if the client may have received a part of the answer. */
  get #hasAnswer(): boolean {
    return this.#writer?.hasBegun ?? false;
  }

  async #connect(): Promise<Link> {
    const { upstreams, decision } = this.#parts;
    this.#isConnecting = true;
    try {
      return await upstreams.open(decision.upstream);
    } finally {
      this.#isConnecting = false;
      this.#active = performance.now();
    }
  }

  /** Sends the request. Never throws. */
  async #upload({ stream }: Link): Promise<void> {
    const { request, decision, input, encoder } = this.#parts;
    const head = encoder.encode(`${request.method} ${decision.target} HTTP/1.1`, decision.headers);
    const writer = new MessageWriter(stream, head, request.framing.kind === "chunked");
    const body = new BodyReader(input, request.framing);
    try {
      if (request.expect !== undefined && !body.isOver) await this.#parts.stream.write(CONTINUE);
      if (mustFlush(input, request.framing)) await writer.flush();
      for (;;) {
        const bytes = await this.#next(body);
        if (bytes === null) break;
        this.#active = performance.now();
        await writer.write(bytes, body.isOver);
      }
      await writer.end();
      this.#isUploading = false;
    } catch {
      // The kite no longer reads; it may have answered.
      return;
    }
    // The client sends nothing more, and may leave.
    if (this.#isOver) return;
    const left = (): void => this.#fail(499, "");
    input.more().then((isThere) => isThere || left(), left);
  }

  async #next(body: BodyReader): Promise<Uint8Array | null> {
    try {
      return await body.next();
    } catch (error) {
      this.#fail(400, "The body of the request is broken\n");
      throw error;
    }
  }

  async #download(link: Link): Promise<Answer> {
    const { request, stream } = this.#parts;
    const { input } = link;
    const known = await this.#readAnswer(link);
    const { answer } = known;
    const { framing } = answer;
    const body = new BodyReader(input, framing);
    const isChunked = !request.isOld && isOpenEnded(framing);
    const writer = new MessageWriter(stream, this.#headFor(known), isChunked);
    if (this.#isOver) throw new Error("the exchange is over");
    this.#writer = writer;
    if (mustFlush(input, framing)) await writer.flush();
    for (let bytes = await body.next(); bytes !== null; bytes = await body.next()) {
      this.#active = performance.now();
      await writer.write(bytes, body.isOver);
    }
    await writer.end();
    return framing.kind === "close" ? { ...answer, keepsAlive: false } : answer;
  }

  /** Returns the head of the answer for the client. */
  #headFor(known: KnownAnswer): Uint8Array {
    const { request, options } = this.#parts;
    const { status, reason, rawHeaders, framing } = known.answer;
    const isUsual = request.keepsAlive && !request.isOld;
    if (isUsual && known.encoded !== undefined) return known.encoded;
    const headers = options.answerHeaders(rawHeaders);
    if (isOpenEnded(framing) && !request.isOld) headers.push("Transfer-Encoding", "chunked");
    if (!request.keepsAlive) headers.push("Connection", "close");
    const head = encodeHead(statusLine(status, reason), headers);
    if (isUsual) known.encoded = head;
    return head;
  }

  async #readAnswer(link: Link): Promise<KnownAnswer> {
    const { method } = this.#parts.request;
    for (;;) {
      const text = await link.input.readHead(LONGEST_ANSWER_HEAD);
      if (text === undefined) throw new Error("the kite closed the connection");
      const known = link.parseAnswer(text, method);
      this.#active = performance.now();
      const { status } = known.answer;
      if (status === 101) throw new Error("the kite changes the protocol");
      if (status >= 200) return known;
    }
  }
}

/** True if only the end of the connection, or of the last chunk, tells the end of a body. */
function isOpenEnded({ kind }: Framing): boolean {
  return kind === "chunked" || kind === "close";
}
