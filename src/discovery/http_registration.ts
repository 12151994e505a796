import { KiteError } from "../protocol/errors.ts";
import { createTrustingClient, type HttpClient } from "../runtime/http_client.ts";
import { Timer } from "../runtime/timer.ts";
import { displayUrl, parseKiteUrl } from "../transport/url.ts";
import { type DiscoveryHost, noKontrol } from "./host.ts";
import { readRegisterResult, type RegisterResult } from "./register_result.ts";

/** Seconds between heartbeats when Kontrol names no interval. */
const DEFAULT_INTERVAL = 10;

/** Milliseconds until a registration or a heartbeat that failed is tried again. */
const RETRY_AFTER = 1_000;

/** Bytes of an answer that are read. */
const ANSWER_BYTES = 65_536;

/** A registration over HTTP, kept up with heartbeats (docs/kontrol-protocol.md §3). */
export class HttpRegistration {
  /** Resolves after the first success; rejects when Kontrol refuses before one. */
  readonly first: Promise<RegisterResult>;
  readonly #host: DiscoveryHost;
  readonly #url: string;
  readonly #adopt: (result: RegisterResult) => RegisterResult;
  readonly #settle: PromiseWithResolvers<RegisterResult>;
  readonly #end = new AbortController();
  readonly #client: HttpClient;
  #turn = 0;
  #current: RegisterResult | undefined;
  #isStale = false;
  #timer: Timer | undefined;

  constructor(
    host: DiscoveryHost,
    url: string,
    adopt: (result: RegisterResult) => RegisterResult,
  ) {
    this.#host = host;
    this.#url = url;
    this.#adopt = adopt;
    this.#client = createTrustingClient(host.ca);
    this.#settle = Promise.withResolvers();
    this.first = this.#settle.promise;
    void this.#beat();
  }

  /** Registers anew in place of the next heartbeat. */
  again(): void {
    this.#isStale = true;
  }

  /** Sends no more heartbeats: Kontrol forgets the kite after a while. */
  stop(): void {
    this.#timer?.clear();
    this.#end.abort();
    this.#client.close();
    this.#settle.reject(new KiteError("aborted", "the registration was given up"));
    this.first.catch(() => {}); // whoever waits has heard; when nobody does, that is no failure
  }

  async #beat(): Promise<void> {
    let wait = RETRY_AFTER;
    try {
      if (this.#current === undefined || this.#isStale || !await this.#heartbeat(this.#current)) {
        this.#isStale = false;
        this.#current = this.#adopt(await this.#register());
        this.#settle.resolve(this.#current);
      }
      wait = (this.#current.heartbeatInterval || DEFAULT_INTERVAL) * 1000;
    } catch (error) {
      if (this.#end.signal.aborted) return;
      if (this.#current === undefined && error instanceof KiteError && error.type !== "sendError") {
        this.#settle.reject(error);
        return this.stop();
      }
      this.#turn++;
      this.#host.report("a heartbeat failed, and is tried again", error);
    }
    if (!this.#end.signal.aborted) this.#timer = new Timer(() => void this.#beat(), wait);
  }

  async #register(): Promise<RegisterResult> {
    const { identity, trust } = this.#host;
    const auth = { type: "kiteKey", key: trust.kiteKey ?? "" };
    const body = JSON.stringify({ url: this.#url, kite: identity, auth, heartbeatToken: true });
    const headers = { "content-type": "application/json" };
    const text = await this.#fetch("/register", { method: "POST", body, headers });
    return readRegisterResult(parse(text));
  }

  /** @returns false when Kontrol wants the registration again */
  async #heartbeat({ heartbeatToken }: RegisterResult): Promise<boolean> {
    const query: Record<string, string> = { id: this.#host.identity.id };
    if (heartbeatToken !== undefined) query.token = heartbeatToken;
    return (await this.#fetch("/heartbeat", {}, query)).trim() === "pong";
  }

  async #fetch(
    path: string,
    init: RequestInit,
    query: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const { kontrolUrls, timeout } = this.#host;
    if (kontrolUrls.length === 0) throw noKontrol();
    const url = urlOf(kontrolUrls[this.#turn % kontrolUrls.length]!, path, query);
    const late = new AbortController();
    const timer = new Timer(
      () => late.abort(new KiteError("timeout", `no answer within ${timeout} ms`)),
      timeout,
    );
    const signal = AbortSignal.any([this.#end.signal, late.signal]);
    let response: Response;
    let text: string;
    try {
      response = await this.#client.fetch(url, { ...init, signal });
      text = await readText(response);
    } catch (error) {
      if (error instanceof KiteError && error.type !== "timeout") throw error;
      const why = error instanceof Error ? error.message : String(error);
      const message = `Cannot reach Kontrol at ${displayUrl(url)}: ${why}`;
      throw new KiteError("sendError", message, { cause: error });
    } finally {
      timer.clear();
    }
    if (response.ok) return text;
    throw refusal(response.status, text);
  }
}

/** The URL of one of Kontrol's HTTP paths, beside its `/kite`; a query of its own stays. */
function urlOf(kontrolUrl: string, path: string, query: Readonly<Record<string, string>>): URL {
  const url = parseKiteUrl(kontrolUrl);
  url.pathname = url.pathname.replace(/\/+$/, "").replace(/\/kite$/, "") + path;
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > ANSWER_BYTES) {
      throw new KiteError("invalidResponse", `Kontrol answered more than ${ANSWER_BYTES} bytes`);
    }
  }
  return text + decoder.decode();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new KiteError("invalidResponse", "Kontrol answered something that is no JSON", { cause });
  }
}

function refusal(status: number, text: string): KiteError {
  let reason = text.slice(0, 200);
  try {
    const { err } = JSON.parse(text) as { err?: unknown };
    if (typeof err === "string") reason = err;
  } catch {
    // The text itself has to do.
  }
  const type = status === 401
    ? "authenticationError"
    : status < 500
    ? "argumentError"
    : "sendError";
  return new KiteError(type, `Kontrol answered ${status}: ${reason}`);
}
