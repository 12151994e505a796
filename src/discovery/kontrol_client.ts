import type { TrustUpdate } from "../auth/trust.ts";
import { KiteError } from "../protocol/errors.ts";
import { cannotUse } from "../protocol/refusal.ts";
import type { TellOptions } from "../rpc/remote.ts";
import { Timer } from "../runtime/timer.ts";
import { isKiteUrl } from "../transport/url.ts";
import type { DiscoveryHost } from "./discovery_host.ts";
import { HttpRegistration } from "./http_registration.ts";
import { KeptRegistration } from "./kept_registration.ts";
import { KontrolFinder } from "./kontrol_finder.ts";
import { Proxies } from "./proxies.ts";
import { explainRefusedKey } from "./refused_key.ts";
import { readRegisterResult, type RegisterResult, trustUpdateOf } from "./register_result.ts";

/** Timeout of a request for Kontrol's key while a caller waits for it, milliseconds. */
const KEY_TIMEOUT = 5_000;

/** Minimum interval of a key renewer, milliseconds. */
const SHORTEST_INTERVAL = 100;

/** The connection to Kontrol of a kite that also registers and keeps the trusted key up to date. */
export class KontrolClient extends KontrolFinder {
  /** The registrations at proxies. */
  readonly proxies: Proxies;
  readonly #host: DiscoveryHost;
  #kept: KeptRegistration | undefined;
  #http: HttpRegistration | undefined;
  readonly #renewers = new Set<() => void>();
  /** The last key that was not trusted, so that each one is reported once. */
  #refusedKey: string | undefined;

  constructor(host: DiscoveryHost) {
    super(host);
    this.#host = host;
    this.proxies = new Proxies(host, this);
    host.trust.source = () => this.getKey({ timeout: KEY_TIMEOUT });
  }

  override tell(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown>;
  override tell<R>(options: TellOptions, method: string, ...args: unknown[]): Promise<R>;
  override async tell(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown> {
    try {
      return await super.tell(options, method, ...args);
    } catch (error) {
      throw explainRefusedKey(error, this.client.url, this.#host.trust.kiteKey);
    }
  }

  /** Registers once, and adopts new keys from Kontrol. */
  async registerOnce(url: string): Promise<RegisterResult> {
    checkUrl(url);
    const { kontrolKey } = this.#host.trust;
    const argument = { url, ...(kontrolKey === undefined ? {} : { handoverFrom: kontrolKey }) };
    return await this.#adopt(readRegisterResult(await this.tell({}, "register", argument)));
  }

  /** Registers now and after every reconnection. Resolves after the first registration. */
  async register(url: string): Promise<RegisterResult> {
    checkUrl(url);
    this.#kept?.stop();
    this.#kept = new KeptRegistration(
      this.client,
      () => this.registerOnce(url),
      (error) => this.#host.report("Cannot register at Kontrol, trying again", error),
    );
    return await this.#kept.first;
  }

  /** Registers over HTTP and sends heartbeats. Resolves after the first registration. */
  async registerHttp(url: string): Promise<RegisterResult> {
    checkUrl(url);
    this.#http?.stop();
    this.#http = new HttpRegistration(this.#host, url, (result) => this.#adopt(result));
    return await this.#http.first;
  }

  /**
   * Requests Kontrol's current public key, and adopts it if the trusted key has signed a handover to
   * it (docs/kontrol-protocol.md §6). After a change, a registered kite registers again to get a new
   * kite.key.
   *
   * @throws {KiteError} `authenticationError` if the key cannot be verified
   */
  async getKey(options: TellOptions = {}): Promise<string> {
    const { trust } = this.#host;
    const argument = { handoverFrom: trust.kontrolKey ?? "" };
    const { publicKey, keyHandover } = readKeyAnswer(await this.tell(options, "getKey", argument));
    if (await this.#trusting(publicKey, { kontrolKey: publicKey, keyHandover })) {
      this.#kept?.again();
      this.#http?.again();
    }
    return publicKey;
  }

  /**
   * Requests Kontrol's key at intervals, so that a new key is adopted before a call fails.
   *
   * @param interval Milliseconds between two requests, at least 100.
   * @returns A function that stops the renewer. Closing the kite stops it, too.
   */
  keyRenewer(interval: number): () => void {
    if (!(typeof interval === "number" && interval >= SHORTEST_INTERVAL)) {
      const rule = `must be a number of milliseconds, at least ${SHORTEST_INTERVAL}`;
      throw cannotUse("interval", rule, { value: interval });
    }
    let timer: Timer;
    const stop = (): void => {
      timer.clear();
      this.#renewers.delete(stop);
    };
    const arm = (): void => {
      timer = new Timer(() => {
        arm();
        this.getKey().catch((error: unknown) =>
          this.#host.report("Cannot renew the key of Kontrol, trying again", error)
        );
      }, interval);
    };
    arm();
    this.#renewers.add(stop);
    return stop;
  }

  /** Stops everything except the kite's clients, which the kite closes. */
  override close(): void {
    this.#host.trust.source = undefined;
    this.proxies.close();
    this.#kept?.stop();
    this.#http?.stop();
    for (const stop of this.#renewers) stop();
    super.close();
  }

  /** Completes a registration, which is valid even if its keys cannot be trusted. */
  async #adopt(result: RegisterResult): Promise<RegisterResult> {
    const key = result.publicKey ?? result.kiteKey ?? "";
    await this.#trusting(key, trustUpdateOf(result)).catch(() => {}); // reported
    this.#host.registered(result.url);
    return result;
  }

  /** Adopts keys, and reports those that cannot be trusted. */
  async #trusting(key: string, update: TrustUpdate): Promise<boolean> {
    try {
      return await this.#host.trust.adopt(update);
    } catch (error) {
      if (key !== this.#refusedKey) this.#host.report("Kontrol offered another key", error);
      this.#refusedKey = key;
      throw error;
    }
  }
}

/** Reads the answer to `getKey`: a key, or a key with its handover. */
function readKeyAnswer(answer: unknown): { publicKey: string; keyHandover: string | undefined } {
  const { publicKey, keyHandover } = typeof answer === "string"
    ? { publicKey: answer, keyHandover: undefined }
    : (answer ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof publicKey !== "string" || publicKey.trim() === "") {
    throw new KiteError("invalidResponse", "Cannot read the answer to getKey: it holds no key");
  }
  return { publicKey, keyHandover: typeof keyHandover === "string" ? keyHandover : undefined };
}

function checkUrl(url: string): void {
  if (isKiteUrl(url)) return;
  const rule = "must be a URL that others can dial, such as http://host:3636/kite";
  throw cannotUse("url", rule, { value: url, type: "argumentError" });
}
