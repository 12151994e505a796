import { joinBytes } from "../bytes.ts";
import type { ByteStream, ByteStreamHandler } from "../byte_stream.ts";
import { requestUrl } from "../request_url.ts";
import { checkResponse, type RequestPeer, type ServeHandler, type TakenOver } from "../serving.ts";
import { Timer } from "../timer.ts";
import { afterOthers } from "../turn.ts";
import { BadMessage } from "./fields.ts";
import { endOfHead, latin1, MAX_HEAD_BYTES, parseHead, type RequestHead } from "./head.ts";
import { IncomingBody } from "./incoming_body.ts";
import { drained, HIGH_WATER, type ResponseStream, writeResponse } from "./response.ts";

/** A stream whose reading can be paused, and whose listener can be replaced. */
export interface ServerStream extends ResponseStream {
  handler: ByteStreamHandler;
  pause(): void;
  resume(): void;
}

/** Options of an {@linkcode HttpConnection}. */
export interface HttpOptions {
  readonly handler: ServeHandler;
  /** Called with errors that the handler throws. The request is answered with status 500. */
  readonly onError: (error: unknown) => void;
  readonly isSecure: boolean;
  /** Milliseconds after which a peer that reads nothing of a response is disconnected. */
  readonly stallTimeout: number;
}

/** The events of an {@linkcode HttpConnection}. */
export interface HttpEvents {
  /** No request is running. */
  idle(): void;
  /** A request has arrived. */
  busy(): void;
  /** The connection has ended, or was taken over by another protocol. */
  ended(): void;
}

/** Bytes of further requests that may arrive while a request is running. */
const MAX_EARLY_BYTES = 65_536;

/** Requests that may follow each other without an answer in between, in one turn of the event loop. */
const MOST_AT_ONCE = 8;

/** Milliseconds within which the peer must close after a last response. */
const LINGER = 1_000;

const EMPTY = new Uint8Array(0);

/** The server's side of one HTTP/1 connection. It handles one request after another. */
export class HttpConnection implements ByteStreamHandler {
  readonly #stream: ServerStream;
  readonly #options: HttpOptions;
  readonly #events: HttpEvents;
  /** Received bytes that wait to be parsed. */
  #input: Uint8Array<ArrayBuffer> = EMPTY;
  /** Bytes of the input in which the end of a head was looked for. */
  #searched = 0;
  /** Requests that were handled in this turn of the event loop. */
  #atOnce = 0;
  /** The request that is being handled. */
  #peer: HttpPeer | undefined;
  /** The body that is being received. */
  #body: IncomingBody | undefined;
  /** True after the last response: what still arrives is discarded. */
  #isLast = false;
  #linger: Timer | undefined;
  #hasPeerEnded = false;
  #hasEnded = false;

  constructor(stream: ServerStream, options: HttpOptions, events: HttpEvents) {
    this.#stream = stream;
    this.#options = options;
    this.#events = events;
  }

  onData(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#isLast) return;
    this.#parse(this.#input.length === 0 ? bytes : joinBytes([this.#input, bytes]));
  }

  onPeerEnd(): void {
    this.#hasPeerEnded = true;
    this.#body?.fail();
    this.#peer?.gone();
    if (this.#peer === undefined && !this.#isLast) this.#stream.destroy();
    if (this.#isLast) this.#closeWhenWritten();
  }

  onEnd(): void {
    this.#hasPeerEnded = true;
    this.#linger?.clear();
    this.#body?.fail();
    this.#peer?.gone();
    this.#announceEnd();
  }

  /**
   * Hands the stream over to another protocol.
   *
   * @returns the stream, and what the peer has sent after the head of its request
   */
  takeOver(): TakenOver {
    const early = this.#input;
    this.#input = EMPTY;
    this.#stream.resume();
    this.#announceEnd();
    return { stream: this.#stream, early };
  }

  /** True if the connection can be used for a request after the current one. */
  get canContinue(): boolean {
    return this.#body === undefined && !this.#hasPeerEnded;
  }

  #announceEnd(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#events.ended();
  }

  #parse(bytes: Uint8Array<ArrayBuffer>): void {
    let rest = bytes;
    try {
      if (this.#body !== undefined) {
        rest = rest.subarray(this.#body.receive(rest));
        if (!this.#body.isDone) return void (this.#input = EMPTY);
        this.#body = undefined;
      }
      if (this.#peer === undefined) {
        let from = this.#searched - 3;
        for (; rest[0] === 0x0d && rest[1] === 0x0a; from -= 2) rest = rest.subarray(2);
        const end = endOfHead(rest, Math.max(0, from));
        if (Math.max(end, rest.length) > MAX_HEAD_BYTES && (end < 0 || end > MAX_HEAD_BYTES)) {
          throw new BadMessage(431, "the head of the request is too long");
        }
        if (end >= 0) return this.#begin(rest.subarray(0, end - 4), rest.subarray(end));
        this.#searched = rest.length;
      } else if (rest.length > MAX_EARLY_BYTES) {
        this.#stream.pause();
      }
      // The stream reuses its buffer.
      this.#input = rest.length === 0 ? EMPTY : rest.slice();
    } catch (error) {
      this.#refuse(error);
    }
  }

  #begin(headBytes: Uint8Array, rest: Uint8Array<ArrayBuffer>): void {
    const head = parseHead(latin1(headBytes));
    const { isSecure } = this.#options;
    const url = requestUrl(head.target, head.host, isSecure);
    if (url === undefined) throw new BadMessage(400, "unsupported request target");
    const peer = this.#peer = new HttpPeer(this, this.#stream, head);
    this.#events.busy();
    this.#input = EMPTY;
    this.#searched = 0;
    if (head.body !== 0) this.#body = new IncomingBody(head, this.#stream);
    const request = requestOf(url, head, this.#body?.stream);
    if (rest.length > 0) this.#parse(rest);
    void this.#answer(request, peer);
  }

  async #answer(request: Request, peer: HttpPeer): Promise<void> {
    const response = await this.#handle(request, peer);
    if (peer.isTakenOver) return;
    const isKept = await this.#write(response, peer);
    if (this.#peer !== peer || this.#hasEnded) return;
    if (isKept && this.canContinue) {
      this.#events.idle();
      // A client that sends requests and does not read the answers has to wait.
      if (this.#stream.bufferedAmount > HIGH_WATER) await this.#stream.drained();
      if (this.#input.length > 0) await this.#yield();
      if (this.#hasEnded) return;
    }
    this.#peer = undefined;
    if (!isKept || !this.canContinue) return this.#finish();
    this.#stream.resume();
    if (this.#input.length > 0) this.#parse(this.#input);
  }

  /** Gives other connections their turn after some requests that have arrived together. */
  async #yield(): Promise<void> {
    if (++this.#atOnce < MOST_AT_ONCE) return;
    this.#atOnce = 0;
    await new Promise<void>(afterOthers);
  }

  /** Returns false if the connection cannot be used any more. */
  async #write(response: Response, peer: HttpPeer): Promise<boolean> {
    try {
      return await writeResponse(response, this.#stream, peer, this.#options.stallTimeout);
    } catch (error) {
      this.#options.onError(error);
      this.#stream.destroy();
      return false;
    }
  }

  async #handle(request: Request, peer: HttpPeer): Promise<Response> {
    try {
      return checkResponse(await this.#options.handler(request, peer));
    } catch (error) {
      this.#options.onError(error);
      return new Response("Internal Server Error\n", { status: 500 });
    }
  }

  /** Refuses a request that cannot be parsed. */
  #refuse(error: unknown): void {
    const status = error instanceof BadMessage ? error.status : 400;
    const text = `${error instanceof BadMessage ? error.message : "malformed request"}\n`;
    this.#body?.fail();
    this.#body = undefined;
    // The response to a request whose body is malformed has perhaps begun.
    if (this.#peer !== undefined) return this.#stream.destroy();
    this.#isLast = true;
    const response = new Response(text, { status });
    const { stallTimeout } = this.#options;
    void writeResponse(response, this.#stream, LAST, stallTimeout).then(() => this.#finish());
  }

  /** Closes the connection so that the peer receives the last response. */
  #finish(): void {
    this.#isLast = true;
    this.#input = EMPTY;
    this.#body?.fail();
    this.#body = undefined;
    // Closing before the peer has sent everything would reset the connection, and the response with it.
    this.#stream.end();
    this.#stream.resume();
    this.#closeWhenWritten();
  }

  /** Closes the connection once the last response is written, and the peer has had time to close. */
  #closeWhenWritten(): void {
    const stream = this.#stream;
    void drained(stream, this.#options.stallTimeout).then((isWritten) => {
      if (!isWritten || this.#hasPeerEnded) stream.destroy();
      else this.#linger ??= new Timer(() => stream.destroy(), LINGER);
    });
  }
}

const LAST = { method: "GET", isHttp10: false, keepsAlive: false, onGone: () => {} };

/** The sender of one request. */
class HttpPeer implements RequestPeer {
  readonly method: string;
  readonly isHttp10: boolean;
  readonly #keepsAlive: boolean;
  readonly #connection: HttpConnection;
  readonly #stream: ByteStream;
  readonly #canBeTaken: boolean;
  #isTakenOver = false;
  #isGone = false;
  #listeners: (() => void)[] = [];

  constructor(connection: HttpConnection, stream: ByteStream, head: RequestHead) {
    this.#connection = connection;
    this.#stream = stream;
    this.method = head.method;
    this.isHttp10 = head.isHttp10;
    this.#keepsAlive = head.keepsAlive;
    this.#canBeTaken = head.method === "GET" && head.body === 0 && !head.isHttp10;
  }

  get remoteAddress(): string {
    return this.#stream.remoteAddress;
  }

  /** False also while a part of the body is missing, which would be in the way of the next request. */
  get keepsAlive(): boolean {
    return this.#keepsAlive && this.#connection.canContinue;
  }

  /** True if another protocol has taken the connection over. */
  get isTakenOver(): boolean {
    return this.#isTakenOver;
  }

  onGone(listener: () => void): void {
    if (this.#isGone) listener();
    else this.#listeners.push(listener);
  }

  takeOver(): TakenOver | undefined {
    if (!this.#canBeTaken || this.#isGone || this.#isTakenOver) return undefined;
    this.#isTakenOver = true;
    return this.#connection.takeOver();
  }

  /** Calls the listeners once. */
  gone(): void {
    this.#isGone = true;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}

function requestOf(
  url: string,
  { method, rawHeaders }: RequestHead,
  body: ReadableStream<Uint8Array<ArrayBuffer>> | undefined,
): Request {
  let init: RequestInit = { method };
  if (method === "GET" || method === "HEAD") void body?.cancel();
  else if (body !== undefined) init = { method, body, duplex: "half" } as RequestInit;
  const request = new Request(url, init);
  // In Deno, this takes a fifth of the time that headers in `init` take.
  for (let i = 0; i < rawHeaders.length; i += 2) {
    request.headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  }
  return request;
}
