import { answerAndEnd } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { Forwarding } from "./forward.ts";
import { HeadEncoder, type Request, RequestParser } from "./head.ts";
import { BadMessage } from "../http1/fields.ts";
import { Input } from "./input.ts";
import { StreamDuplex } from "./node_stream.ts";
import { Splice } from "./splice.ts";
import type { Stream } from "./stream.ts";
import { formatAddress } from "../byte_stream.ts";
import { SocketStream } from "../socket_stream.ts";
import type { Decision, ForwardingOptions, RequestHead } from "./types.ts";
import type { Upstreams } from "./upstream.ts";

const NOBODY = { onData: () => {}, onEnd: () => {} };

/** Milliseconds until an idle client connection is closed. */
const KEEP_ALIVE = 5_000;
/** Milliseconds for a client to read the last bytes. */
const LINGER = 2_000;

/** The parts of the server that its connections use. */
export interface Hub {
  readonly options: ForwardingOptions;
  readonly upstreams: Upstreams;
  /** True once the server closes: connections take no further requests. */
  readonly isClosing: boolean;
  /** Called when a connection is idle, or no longer. */
  idleChanged(connection: ClientConnection): void;
}

/** One connection of a client. */
export class ClientConnection {
  readonly #stream: Stream;
  readonly #input: Input;
  readonly #hub: Hub;
  readonly #parser = new RequestParser();
  readonly #encoder = new HeadEncoder();
  /** When to end it unless something happens before; `performance.now()`. */
  #deadline: number;
  /** True while a part of a head has arrived. */
  #hasHead = false;
  #isBusy = false;
  #isClosed = false;
  #exchange: Exchange | undefined;

  constructor(stream: Stream, hub: Hub) {
    this.#stream = stream;
    this.#input = new Input(stream);
    this.#hub = hub;
    this.#deadline = performance.now() + hub.options.limits.headersTimeout;
  }

  /** True while it has no request, or only a part of its head. */
  get isIdle(): boolean {
    return !this.#isBusy;
  }

  /** Serves requests until the connection ends. Never throws. */
  async serve(): Promise<void> {
    try {
      while (await this.#serveOne());
      await this.#finish();
    } catch (error) {
      if (error instanceof BadMessage) {
        await this.#refuse(error.status, "The request is broken or too long\n");
      }
    } finally {
      this.#stream.close();
    }
  }

  /** Ends the connection if a time limit has passed. */
  sweep(now: number): void {
    this.#exchange?.sweep(now);
    if (now < this.#deadline) return;
    this.#deadline = Infinity;
    if (this.#hasHead) void this.#refuse(408, "The request is too slow\n");
    else this.close();
  }

  /** Closes the connection immediately. */
  close(): void {
    this.#isClosed = true;
    this.#exchange?.destroy();
    this.#stream.close();
  }

  /**
   * Serves one request.
   *
   * @returns whether another one may follow
   */
  async #serveOne(): Promise<boolean> {
    const input = this.#input;
    const { limits } = this.#hub.options;
    if (input.bytes.length === 0 && !await input.more()) return false;
    this.#hasHead = true;
    const began = performance.now();
    this.#deadline = began + limits.headersTimeout;
    const text = await input.readHead(limits.headerBytes);
    if (text === undefined) return false;
    this.#hasHead = false;
    this.#setBusy(true);
    this.#deadline = Infinity;
    const isKept = await this.#answer(this.#parser.parse(text), began);
    if (!isKept || this.#hub.isClosing) return false;
    this.#setBusy(false);
    this.#deadline = performance.now() + KEEP_ALIVE;
    return true;
  }

  #setBusy(isBusy: boolean): void {
    if (this.#isBusy === isBusy) return;
    this.#isBusy = isBusy;
    this.#hub.idleChanged(this);
  }

  async #answer(request: Request, began: number): Promise<boolean> {
    const { method, upgrade, expect } = request;
    if (method === "CONNECT") return await this.#refuse(405, "CONNECT is refused\n");
    if (expect !== undefined && expect !== "100-continue") return await this.#refuse(417, "");
    if (upgrade !== undefined && (method !== "GET" || upgrade !== "websocket")) {
      return await this.#refuse(400, "The only upgrade accepted is to WebSocket\n");
    }
    const decision = await this.#decide(request);
    if (this.#isClosed) return false;
    if (decision.kind === "answer") return await this.#refuse(decision.status, decision.text);
    if (decision.kind === "accept") {
      if (upgrade === undefined) {
        return await this.#refuse(426, "This path takes WebSockets only\n");
      }
      await this.#accept(decision);
      return false;
    }
    const leave = decision.enter === undefined ? () => {} : decision.enter();
    if (leave === undefined) return await this.#refuse(503, "The proxy is busy\n");
    const { options, upstreams } = this.#hub;
    const parts = {
      stream: this.#stream,
      input: this.#input,
      request,
      decision,
      encoder: this.#encoder,
      upstreams,
      options,
    };
    const exchange = upgrade === undefined ? new Forwarding(parts, began) : new Splice(parts);
    this.#exchange = exchange;
    try {
      const outcome = await exchange.run();
      if (typeof outcome === "boolean") return outcome;
      leave();
      return await this.#refuse(outcome.status, outcome.text);
    } finally {
      this.#exchange = undefined;
      leave();
    }
  }

  async #decide(request: Request): Promise<Decision> {
    const { options } = this.#hub;
    const head: RequestHead = {
      method: request.method,
      target: request.target,
      rawHeaders: request.rawHeaders,
      isWebSocket: request.upgrade !== undefined,
      remoteAddress: this.#stream.remoteAddress,
      isSecure: options.tls !== undefined,
    };
    try {
      return await options.decide(head);
    } catch (error) {
      options.onError(error);
      return { kind: "answer", status: 500, text: "Internal Server Error\n" };
    }
  }

  /** Hands the connection to a WebSocket, and waits for its end. */
  async #accept({ accept }: Decision & { kind: "accept" }): Promise<void> {
    const duplex = new StreamDuplex(this.#stream, this.#input.bytes);
    this.#exchange = { sweep: () => {}, destroy: () => void duplex.destroy() };
    const closed = new Promise<void>((resolve) => duplex.once("close", resolve));
    duplex.on("error", () => duplex.destroy()); // "close" follows
    accept(new SocketStream(duplex, NOBODY, formatAddress(this.#stream.remoteAddress, 0)));
    await closed;
  }

  /** Ends our side, and lets the client read the last bytes. */
  async #finish(): Promise<void> {
    this.#setBusy(true);
    this.#deadline = performance.now() + LINGER;
    await this.#stream.end();
    do this.#input.skip(this.#input.bytes.length); while (await this.#input.more());
  }

  /** Answers a request that is not forwarded, and ends the connection. */
  async #refuse(status: number, text: string): Promise<false> {
    this.#hasHead = false;
    this.#setBusy(true);
    this.#deadline = performance.now() + LINGER;
    await answerAndEnd(this.#stream, this.#input, status, text);
    return false;
  }
}
