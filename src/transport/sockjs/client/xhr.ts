import { KiteError } from "../../../protocol/errors.ts";
import type { HttpClient } from "../../../runtime/http_client.ts";
import { Timer } from "../../../runtime/timer.ts";
import { pause } from "../../../runtime/turn.ts";
import { readText } from "../../read_text.ts";
import type { CloseInfo } from "../../session.ts";
import { displayUrl, newSessionPath, noKiteAt, transportUrl } from "../../url.ts";
import {
  CLOSE_TIMEOUT,
  type MessageSocket,
  type SocketHandler,
  type SocketOptions,
} from "../../websocket/socket.ts";
import type { Framing } from "../../websocket/session.ts";
import { frameEnd, SOCKJS_FRAMING } from "./sockjs_framing.ts";

/** The framing of SockJS over XHR polling: the frames are those of its WebSocket. */
export const XHR_FRAMING: Framing = { ...SOCKJS_FRAMING, transport: "XHRPolling" };

/** Options of {@linkcode openXhrSocket} that a WebSocket does not have. */
export interface XhrOptions {
  /** Opens a pool of HTTP connections. */
  readonly openHttp: (ca: readonly string[]) => HttpClient;
  /** Milliseconds that an answer to `xhr_send` may take. */
  readonly idleTimeout: number;
}

/**
 * "Another connection still open". This client never has two polls at the same time, but the Go server
 * sends this code if a poll arrives before it has cleaned up the previous one. The session continues.
 */
const STILL_OPEN = "c[2010,";
const MAX_REFUSALS = 8;

/** The meaning of HTTP status 404 for an open session. */
const UNKNOWN = "the server does not know the session";

/** Maximum bytes of an answer to `xhr_send`. */
const SMALL_ANSWER = 65_536;

/**
 * Opens a SockJS session over XHR polling, with the interface of a WebSocket whose messages are frames.
 * It sends one poll after the other, and one POST after the other, each with all waiting frames.
 *
 * @param base the URL of the kite
 * @throws {KiteError} `sendError` if the server cannot be reached or refuses the session; the reason
 * of the signal if aborted.
 */
export async function openXhrSocket(
  base: URL,
  { openHttp, idleTimeout }: XhrOptions,
  options: SocketOptions,
  handler: SocketHandler,
): Promise<MessageSocket> {
  const http = openHttp(options.ca);
  const socket = new XhrSocket(base, http, idleTimeout, options, handler);
  const { signal } = options;
  const abort = () => socket.abandon();
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    await socket.open();
    return socket;
  } catch (error) {
    socket.abandon();
    http.close();
    if (signal.aborted) throw signal.reason;
    if (error instanceof KiteError) throw error;
    const reason = describeFetchError(error);
    throw new KiteError("sendError", `Cannot reach ${displayUrl(base)}: ${reason}`);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

class XhrSocket implements MessageSocket {
  readonly remoteAddress: string;
  readonly #base: URL;
  readonly #pollUrl: URL;
  readonly #sendUrl: URL;
  readonly #http: HttpClient;
  readonly #idleTimeout: number;
  readonly #options: SocketOptions;
  readonly #handler: SocketHandler;
  readonly #fetches = new AbortController();
  #end: CloseInfo | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  /** Frames that wait for the running POST. */
  #waiting: string[] = [];
  /** Characters passed to `send` whose POST has not been answered yet. */
  #unsent = 0;
  #polling = false;
  /** Consecutive polls that were refused because the previous one seemed to be open. */
  #refused = 0;
  #posting = false;

  constructor(
    base: URL,
    http: HttpClient,
    idleTimeout: number,
    options: SocketOptions,
    handler: SocketHandler,
  ) {
    const path = newSessionPath();
    this.#base = base;
    this.#pollUrl = transportUrl(base, path, "xhr");
    this.#sendUrl = transportUrl(base, path, "xhr_send");
    this.remoteAddress = base.port === ""
      ? `${base.hostname}:${base.protocol === "https:" ? 443 : 80}`
      : base.host;
    this.#http = http;
    this.#idleTimeout = idleTimeout;
    this.#options = options;
    this.#handler = handler;
  }

  get bufferedAmount(): number {
    return this.#unsent;
  }

  send(frame: string): void {
    if (this.#end !== undefined) return;
    this.#unsent += frame.length;
    this.#waiting.push(frame);
    if (!this.#posting) void this.#post();
  }

  /** Polling has no pings; the server's heartbeat ends each poll. */
  ping(): boolean {
    return false;
  }

  close(code: number, reason: string): void {
    this.#end ??= { code, reason };
    // Sent frames are still delivered. SockJS has no close frame for clients: the poll is aborted.
    if (this.#posting) this.#deadline = setTimeout(() => this.abandon(), CLOSE_TIMEOUT);
    else this.abandon();
  }

  terminate(): void {
    this.#lose("the connection was lost");
  }

  /** Opens the session: the first poll must answer with `o`, or with the reason why not. */
  async open(): Promise<void> {
    const frames = await this.#poll();
    if (frames === UNKNOWN) throw noKiteAt(this.#base);
    const [first = "", ...rest] = typeof frames === "string" ? [] : frames;
    if (!/^[oc]/.test(first)) {
      const reason = typeof frames === "string" ? frames : "the answer is not an `o` frame";
      const shown = displayUrl(this.#pollUrl);
      throw new KiteError("sendError", `Cannot open a session at ${shown}: ${reason}`);
    }
    this.#handler.onOpen(this);
    this.#handler.onText(first);
    this.#read(rest);
    void this.#pollOn();
  }

  /** Aborts all requests. */
  abandon(): void {
    this.#fetches.abort();
  }

  async #pollOn(): Promise<void> {
    this.#polling = true;
    while (this.#end === undefined) {
      try {
        const frames = await this.#poll();
        const refused = this.#refused;
        if (typeof frames === "string") this.#lose(frames);
        else this.#read(frames);
        if (this.#refused === refused) this.#refused = 0;
        else await pause(2 ** this.#refused, this.#fetches.signal);
      } catch (error) {
        this.#lose(`the poll failed: ${describeFetchError(error)}`);
      }
    }
    this.#polling = false;
    this.#settle();
  }

  /** Returns the frames of one poll, or the reason why there are none. */
  async #poll(): Promise<string[] | string> {
    const response = await this.#fetch(this.#pollUrl, null);
    this.#handler.onAlive();
    if (response.status !== 200) {
      await response.body?.cancel();
      return response.status === 404 ? UNKNOWN : `HTTP status ${response.status}`;
    }
    let left = this.#options.maxBytes;
    const text = await readText(response.body, (bytes) => {
      this.#handler.onAlive();
      return (left -= bytes) >= 0;
    });
    if (text === undefined) this.#lose("message too long", 1009);
    return (text ?? "").split("\n").filter((line) => line !== "");
  }

  #read(frames: readonly string[]): void {
    for (const frame of frames) {
      if (this.#end !== undefined) return;
      // The server did not know the session and has created a new one.
      if (frame === "o") return this.#lose("the server lost the session");
      if (frame.startsWith(STILL_OPEN) && this.#refused < MAX_REFUSALS) this.#refused++;
      else this.#handler.onText(frame);
    }
  }

  /** Sends the waiting frames until there are none, one POST after the other. */
  async #post(): Promise<void> {
    this.#posting = true;
    while (this.#waiting.length > 0 && !this.#fetches.signal.aborted) {
      const batch = this.#waiting.splice(0, frameEnd(this.#waiting, 0));
      const timer = new Timer(() => this.#lose("xhr_send was not answered"), this.#idleTimeout);
      try {
        const response = await this.#fetch(this.#sendUrl, joinFrames(batch));
        let left = SMALL_ANSWER;
        await readText(response.body, (bytes) => (left -= bytes) >= 0);
        const { status } = response;
        if (status !== 200 && status !== 204) this.#lose(`xhr_send: HTTP status ${status}`);
      } catch (error) {
        this.#lose(`xhr_send failed: ${describeFetchError(error)}`);
      } finally {
        timer.clear();
      }
      for (const frame of batch) this.#unsent -= frame.length;
    }
    this.#posting = false;
    if (this.#end !== undefined) this.abandon(); // close() has waited for the last POST
    this.#settle();
  }

  /** Refuses redirects, which would send messages, tokens and headers to another server. */
  async #fetch(url: URL, body: string | null): Promise<Response> {
    const response = await this.#http.fetch(url, {
      method: "POST",
      headers: this.#options.headers,
      body,
      redirect: "manual",
      signal: this.#fetches.signal,
    });
    if (!isRedirect(response)) return response;
    await response.body?.cancel();
    const shown = displayUrl(url);
    throw new KiteError("sendError", `Cannot use ${shown}: it redirects, which is not followed`);
  }

  #lose(reason: string, code = 1006): void {
    this.#end ??= { code, reason };
    this.#handler.onClosing();
    this.abandon();
  }

  /** Reports the end once no request is running. */
  #settle(): void {
    if (this.#end === undefined || this.#polling || this.#posting) return;
    clearTimeout(this.#deadline);
    this.#waiting = [];
    this.#unsent = 0;
    this.#http.close();
    this.#handler.onClose(this.#end.code, this.#end.reason);
  }
}

/** Joins frames, each a JSON array of messages, to one. */
function joinFrames(frames: readonly string[]): string {
  return frames.length === 1
    ? frames[0]!
    : `[${frames.map((each) => each.slice(1, -1)).join(",")}]`;
}

/** True for a redirect. Browsers hide its status, but set the type of the response. */
function isRedirect({ status, type }: Response): boolean {
  return type === "opaqueredirect" || (status >= 300 && status <= 399);
}

/** Describes an error of `fetch`, without the query of a URL in its message. */
function describeFetchError(error: unknown): string {
  if (!(error instanceof Error)) return "the request failed";
  const { cause, message } = error;
  const whole = cause instanceof Error ? `${message}: ${cause.message}` : message;
  return whole.replace(/\?[^\s)"']*/g, "");
}
