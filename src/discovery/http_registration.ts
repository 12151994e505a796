import { KiteError } from "../protocol/errors.ts";
import type { DiscoveryHost } from "./host.ts";
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
  #turn = 0;
  #current: RegisterResult | undefined;
  #isStale = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    host: DiscoveryHost,
    url: string,
    adopt: (result: RegisterResult) => RegisterResult,
  ) {
    this.#host = host;
    this.#url = url;
    this.#adopt = adopt;
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
    clearTimeout(this.#timer);
    this.#end.abort();
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
    if (!this.#end.signal.aborted) this.#timer = setTimeout(() => void this.#beat(), wait);
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
    const query = new URLSearchParams({ id: this.#host.identity.id });
    if (heartbeatToken !== undefined) query.set("token", heartbeatToken);
    return (await this.#fetch(`/heartbeat?${query}`, {})).trim() === "pong";
  }

  async #fetch(path: string, init: RequestInit): Promise<string> {
    const { kontrolUrls, timeout } = this.#host;
    if (kontrolUrls.length === 0) throw new KiteError("configError", "no Kontrol is known");
    const url = baseOf(kontrolUrls[this.#turn % kontrolUrls.length]!) + path;
    const signal = AbortSignal.any([this.#end.signal, AbortSignal.timeout(timeout)]);
    let response: Response;
    let text: string;
    try {
      // A redirect would carry the kite.key or the heartbeat token to another server.
      response = await fetch(url, { ...init, redirect: "manual", signal });
      text = await readText(response);
    } catch (error) {
      if (error instanceof KiteError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new KiteError("sendError", `Kontrol cannot be reached: ${why}`, { cause: error });
    }
    if (response.ok) return text;
    throw refusal(response.status, text);
  }
}

/** Kontrol's URL without its `/kite`. */
function baseOf(url: string): string {
  return url.replace(/^ws/, "http").replace(/\/+$/, "").replace(/\/kite$/, "");
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
