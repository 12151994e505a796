import { KiteError } from "../../../protocol/errors.ts";
import { Timer } from "../../../runtime/timer.ts";
import { pause } from "../../../runtime/turn.ts";
import type { HttpClient } from "../../../runtime/http_client.ts";
import type { Limits } from "../../../protocol/limits.ts";
import { hasLongMessage, type Message } from "../../message.ts";
import { decodeFrame } from "../frames.ts";
import { Outbox } from "../../outbox.ts";
import type { CloseInfo, Session, SessionHandler } from "../../session.ts";
import { closeInfo } from "../../close_code.ts";
import { frameBytes, Inbox } from "../../inbox.ts";
import { LifeSigns } from "../../life_signs.ts";
import { readText } from "../../read_text.ts";
import { CLOSE_TIMEOUT } from "../../websocket/socket.ts";
import { encodeUpstream, frameEnd } from "./upstream.ts";
import { displayUrl, newSessionPath, noKiteAt, transportUrl } from "../../url.ts";

/** Options of {@linkcode dialXhr}. */
export interface XhrDial {
  /** Opens a pool of HTTP connections. */
  readonly openHttp: (ca: readonly string[]) => HttpClient;
  readonly headers: Headers;
  readonly idleTimeout: number;
  /** Certificates of private authorities, PEM. */
  readonly ca: readonly string[];
  readonly limits: Pick<Limits, "messageBytes" | "outgoingBytes">;
  /** Aborts the attempt. */
  readonly signal: AbortSignal;
}

/**
 * "Another connection still open". This client never has two polls at the same time, but the Go server
 * sends this code if a poll arrives before it has cleaned up the previous one. The session continues.
 */
const STILL_OPEN = 2010;
const MAX_REFUSALS = 8;

/** The meaning of HTTP status 404 for an open session. */
const UNKNOWN = "the server does not know the session";

/** Maximum bytes of an answer to `xhr_send`, and of an answer that opens a session. */
const SMALL_ANSWER = 65_536;

/**
 * Dials a session over XHR polling. It sends one poll after the other, and one POST after the other,
 * each with all waiting messages.
 *
 * @throws {KiteError} `sendError` if the server cannot be reached or refuses the session; the reason
 * of the signal if aborted.
 */
export async function dialXhr(base: URL, dial: XhrDial): Promise<Session> {
  const session = new XhrSession(base, dial);
  const { signal } = dial;
  const abort = () => session.abandon();
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    await session.open();
    return session;
  } catch (error) {
    session.abandon();
    if (signal.aborted) throw signal.reason;
    if (error instanceof KiteError) throw error;
    throw new KiteError(
      "sendError",
      `Cannot reach ${displayUrl(base)}: ${describeFetchError(error)}`,
    );
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

class XhrSession implements Session {
  readonly transport = "XHRPolling";
  readonly remoteAddress: string;
  readonly #base: URL;
  readonly #pollUrl: URL;
  readonly #sendUrl: URL;
  readonly #dial: XhrDial;
  readonly #fetches = new AbortController();
  readonly #http: HttpClient;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #life: LifeSigns;
  #open = false;
  #end: CloseInfo | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  /** Messages that wait for the running POST. */
  #waiting: string[] = [];
  /** Characters passed to `send` whose POST has not been answered yet. */
  #unsent = 0;
  #polling = false;
  /** Consecutive polls that were refused because the previous one seemed to be open. */
  #refused = 0;
  #posting = false;

  constructor(base: URL, dial: XhrDial) {
    const path = newSessionPath();
    this.#pollUrl = transportUrl(base, path, "xhr");
    this.#sendUrl = transportUrl(base, path, "xhr_send");
    this.remoteAddress = base.port === ""
      ? `${base.hostname}:${base.protocol === "https:" ? 443 : 80}`
      : base.host;
    this.#dial = dial;
    this.#base = base;
    this.#http = dial.openHttp(dial.ca);
    this.#inbox = new Inbox(dial.limits.outgoingBytes, (code, reason) => this.close(code, reason));
    this.#outbox = new Outbox((messages) => {
      this.#waiting = this.#waiting.length === 0 ? messages : this.#waiting.concat(messages);
      if (!this.#posting) void this.#post();
    });
    this.#life = new LifeSigns(
      dial.idleTimeout,
      () => {}, // polling has no pings; the server's heartbeat ends each poll
      () => this.#lose("the peer was silent for too long"),
    );
  }

  get isOpen(): boolean {
    return this.#open;
  }

  get bufferedAmount(): number {
    return this.#unsent;
  }

  attach(handler: SessionHandler): void {
    this.#inbox.attach(handler);
  }

  send(message: string): void {
    if (!this.#open) return;
    this.#unsent += message.length;
    if (this.#unsent > this.#dial.limits.outgoingBytes) {
      this.#outbox.clear();
      return this.close(1013, "the peer reads too slowly");
    }
    this.#outbox.push(message);
  }

  close(code?: number, reason?: string): void {
    const end = closeInfo(code, reason);
    if (this.#end !== undefined) return;
    this.#outbox.flush();
    this.#finish(end);
    this.#inbox.drop();
    // Sent messages are still delivered. SockJS has no close frame for clients: the poll is aborted.
    if (this.#posting) this.#deadline = setTimeout(() => this.#fetches.abort(), CLOSE_TIMEOUT);
    else this.#fetches.abort();
  }

  /** Opens the session: the first poll must answer with `o`. */
  async open(): Promise<void> {
    const frames = await this.#poll(SMALL_ANSWER + frameBytes(this.#dial.limits));
    const shown = displayUrl(this.#pollUrl);
    if (frames === UNKNOWN) throw noKiteAt(this.#base);
    if (typeof frames === "string") {
      throw new KiteError("sendError", `Cannot open a SockJS session at ${shown}: ${frames}`);
    }
    const [first, ...rest] = frames;
    const frame = first === undefined ? undefined : decodeFrame(first);
    if (frame?.type === "close") {
      throw new KiteError(
        "sendError",
        `Cannot open a SockJS session at ${shown}: it was closed: ${frame.code} ${frame.reason}`,
      );
    }
    if (frame?.type !== "open") {
      throw new KiteError(
        "sendError",
        `Cannot open a SockJS session at ${shown}: the answer is not an \`o\` frame`,
      );
    }
    this.#open = true;
    this.#life.start();
    this.#read(rest);
    void this.#pollOn();
  }

  /** Aborts a session that has not opened. */
  abandon(): void {
    this.#fetches.abort();
    this.#http.close();
  }

  async #pollOn(): Promise<void> {
    this.#polling = true;
    while (this.#end === undefined) {
      try {
        const frames = await this.#poll(frameBytes(this.#dial.limits));
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
  async #poll(maxBytes: number): Promise<string[] | string> {
    const response = await this.#fetch(this.#pollUrl, null);
    this.#life.heard();
    if (response.status !== 200) {
      await response.body?.cancel();
      return response.status === 404 ? UNKNOWN : `HTTP status ${response.status}`;
    }
    let left = maxBytes;
    const text = await readText(response.body, (bytes) => {
      this.#life.heard();
      return (left -= bytes) >= 0;
    });
    if (text === undefined) {
      this.close(1009, "message too long");
      return [];
    }
    return text.split("\n").filter((line) => line !== "");
  }

  #read(frames: readonly string[]): void {
    for (const text of frames) {
      if (this.#end !== undefined) return;
      const frame = decodeFrame(text);
      switch (frame?.type) {
        case undefined:
          return this.close(1002, "broken frame");
        case "open": // the server did not know the session and has created a new one
          return this.#lose("the server lost the session");
        case "heartbeat":
          break;
        case "close":
          if (frame.code === STILL_OPEN && this.#refused < MAX_REFUSALS) {
            this.#refused++;
            continue;
          }
          this.#finish({ code: frame.code, reason: frame.reason });
          return this.#fetches.abort();
        case "messages":
          this.#deliver(text, frame.messages);
      }
    }
  }

  #deliver(frame: string, messages: readonly Message[]): void {
    if (hasLongMessage(frame, messages, this.#dial.limits.messageBytes)) {
      return this.close(1009, "message too long");
    }
    for (const message of messages) {
      this.#inbox.deliver(message);
      if (this.#end !== undefined) return;
    }
  }

  /** Sends the waiting messages until there are none, one POST after the other. */
  async #post(): Promise<void> {
    this.#posting = true;
    while (this.#waiting.length > 0 && !this.#fetches.signal.aborted) {
      const end = frameEnd(this.#waiting, 0);
      const batch = end === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, end);
      this.#waiting = this.#waiting.slice(end);
      const timer = new Timer(
        () => this.#lose("xhr_send was not answered"),
        this.#dial.idleTimeout,
      );
      try {
        const response = await this.#fetch(this.#sendUrl, encodeUpstream(batch));
        let left = SMALL_ANSWER;
        await readText(response.body, (bytes) => (left -= bytes) >= 0);
        const { status } = response;
        if (status !== 200 && status !== 204) this.#lose(`xhr_send: HTTP status ${status}`);
      } catch (error) {
        this.#lose(`xhr_send failed: ${describeFetchError(error)}`);
      } finally {
        timer.clear();
      }
      for (const message of batch) this.#unsent -= message.length;
    }
    this.#posting = false;
    if (this.#end !== undefined) this.#fetches.abort(); // close() has waited for the last POST
    this.#settle();
  }

  /** Refuses redirects, which would send messages, tokens and headers to another server. */
  async #fetch(url: URL, body: string | null): Promise<Response> {
    const response = await this.#http.fetch(url, {
      method: "POST",
      headers: this.#dial.headers,
      body,
      redirect: "manual",
      signal: this.#fetches.signal,
    });
    if (!isRedirect(response)) return response;
    await response.body?.cancel();
    const shown = displayUrl(url);
    throw new KiteError("sendError", `Cannot use ${shown}: it redirects, which is not followed`);
  }

  #finish(end: CloseInfo): void {
    this.#end = end;
    this.#open = false;
    this.#life.stop();
    this.#inbox.stop();
  }

  #lose(reason: string): void {
    if (this.#end === undefined) this.#finish({ code: 1006, reason });
    this.#fetches.abort();
  }

  /** Reports the end once no request is running. */
  #settle(): void {
    if (this.#end === undefined || this.#polling || this.#posting) return;
    clearTimeout(this.#deadline);
    this.#outbox.clear();
    this.#waiting = [];
    this.#unsent = 0;
    this.#http.close();
    this.#inbox.end(this.#end);
  }
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
