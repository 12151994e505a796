import { KiteError } from "../protocol/errors.ts";
import { createTrustingClient, type HttpClient } from "../runtime/http_client.ts";
import { Timer } from "../runtime/timer.ts";
import { type DiscoveryHost, noKontrol } from "./discovery_host.ts";
import { fetchKontrol } from "./kontrol_http.ts";
import { readRegisterResult, type RegisterResult } from "./register_result.ts";

/** Seconds between heartbeats when Kontrol names no interval. */
const DEFAULT_INTERVAL = 10;

/** Milliseconds until a failed registration or heartbeat is retried. */
const RETRY_AFTER = 1_000;

/** A registration over HTTP, kept alive with heartbeats (docs/kontrol-protocol.md §3). */
export class HttpRegistration {
  /** Resolves after the first success; rejects when Kontrol refuses before one. */
  readonly first: Promise<RegisterResult>;
  readonly #host: DiscoveryHost;
  readonly #url: string;
  readonly #adopt: (result: RegisterResult) => Promise<RegisterResult>;
  readonly #settle: PromiseWithResolvers<RegisterResult>;
  readonly #end = new AbortController();
  readonly #client: HttpClient;
  #turn = 0;
  #failures = 0;
  #current: RegisterResult | undefined;
  #isStale = false;
  #timer: Timer | undefined;

  constructor(
    host: DiscoveryHost,
    url: string,
    adopt: (result: RegisterResult) => Promise<RegisterResult>,
  ) {
    this.#host = host;
    this.#url = url;
    this.#adopt = adopt;
    this.#client = createTrustingClient(host.ca);
    this.#settle = Promise.withResolvers();
    this.first = this.#settle.promise;
    void this.#beat();
  }

  /** Registers again instead of sending the next heartbeat. */
  again(): void {
    this.#isStale = true;
  }

  /** Stops the heartbeats, so that Kontrol removes the kite after some time. */
  stop(): void {
    this.#timer?.clear();
    this.#end.abort();
    this.#client.close();
    this.#settle.reject(new KiteError("aborted", "Cannot register: the registration was stopped"));
    this.first.catch(() => {}); // no one may be waiting for it
  }

  async #beat(): Promise<void> {
    let wait = RETRY_AFTER;
    try {
      if (this.#current === undefined || this.#isStale || !await this.#heartbeat(this.#current)) {
        this.#isStale = false;
        this.#current = await this.#adopt(await this.#register());
        this.#settle.resolve(this.#current);
      }
      this.#failures = 0;
      wait = (this.#current.heartbeatInterval || DEFAULT_INTERVAL) * 1000;
    } catch (error) {
      if (this.#end.signal.aborted) return;
      if (this.#current === undefined && error instanceof KiteError && error.type !== "sendError") {
        this.#settle.reject(error);
        return this.stop();
      }
      this.#turn++;
      // Reported once per outage, not for every attempt.
      if (++this.#failures === 1) {
        const what = this.#current === undefined ? "register over HTTP" : "send a heartbeat";
        this.#host.report(`Cannot ${what}, trying again`, error);
      }
    }
    if (!this.#end.signal.aborted) this.#timer = new Timer(() => void this.#beat(), wait);
  }

  async #register(): Promise<RegisterResult> {
    const { identity, trust } = this.#host;
    const auth = { type: "kiteKey", key: trust.kiteKey ?? "" };
    const body = JSON.stringify({
      url: this.#url,
      kite: identity,
      auth,
      heartbeatToken: true,
      handoverFrom: trust.kontrolKey,
    });
    const headers = { "content-type": "application/json" };
    const text = await this.#fetch("/register", { method: "POST", body, headers });
    return readRegisterResult(parse(text));
  }

  /**
   * Sends a heartbeat.
   *
   * @returns false if the kite has to register again
   */
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
    const url = kontrolUrls[this.#turn % kontrolUrls.length];
    if (url === undefined) throw noKontrol(this.#host);
    const late = new AbortController();
    const timer = new Timer(
      () =>
        late.abort(
          new KiteError("timeout", `no answer within ${timeout} ms`),
        ),
      timeout,
    );
    const signal = AbortSignal.any([this.#end.signal, late.signal]);
    try {
      return await fetchKontrol(this.#client, url, path, query, { ...init, signal });
    } finally {
      timer.clear();
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new KiteError("invalidResponse", "Cannot read the answer of Kontrol: it is not JSON", {
      cause,
    });
  }
}
