import { readTokenTimes, type TokenTimes } from "../auth/token_times.ts";
import type { Client } from "../client.ts";
import { Timer } from "../runtime/timer.ts";

/** Milliseconds before its expiry at which a token is renewed. */
const RENEW_BEFORE = 30_000;

/** Minimum and maximum pause between two renewals for one client, milliseconds. */
const LEAST_PAUSE = 1_000;
const LONGEST_PAUSE = 600_000;

/** Maximum delay until a failed renewal is retried, milliseconds. */
const LONGEST_RETRY = 5_000;

/** Maximum time that a call waits for a new token, milliseconds. */
const CALL_WAIT = 5_000;

/**
 * Renews a client's token while it is connected: 30 s before it expires, before a call with an expired
 * token, and when the remote reports that it has expired.
 *
 * If a new token appears to be expired, a clock is wrong. The renewer then ignores the expiry, and
 * increases the pause between two renewals up to ten minutes.
 */
export class TokenRenewer {
  readonly #client: Client;
  readonly #fetchToken: () => Promise<string>;
  readonly #report: (what: string, error?: unknown) => void;
  #timer: Timer | undefined;
  #renewing: Promise<void> | undefined;
  #renewedAt = -Infinity;
  #pause = LEAST_PAUSE;
  #failures = 0;
  /** True if the remote refused the last new token. */
  #wasRefused = false;
  #hasReported = false;
  /** When the token expires, milliseconds since 1970; `Infinity` if unknown. */
  #goodUntil = Infinity;

  /** @param fetchToken Requests a new token. */
  constructor(
    client: Client,
    fetchToken: () => Promise<string>,
    report: (what: string, error?: unknown) => void,
  ) {
    this.#client = client;
    this.#fetchToken = fetchToken;
    this.#report = report;
    this.#readToken();
    client.onConnect(() => this.#schedule());
    client.onDisconnect(() => this.#stop());
    client.onTokenRenew(() => this.#readToken());
    client.onTokenExpire(() => this.#refused());
  }

  /** Returns the renewal that a call has to wait for; `undefined` if its token is valid. */
  due(): Promise<void> | undefined {
    if (Date.now() < this.#goodUntil) return undefined;
    if (this.#renewing === undefined && !this.#mayRenew()) return undefined;
    return within(CALL_WAIT, this.renew());
  }

  /** Renews the token, unless the last renewal is too recent. Concurrent calls share one renewal. */
  renew(): Promise<void> {
    return this.#renewing ??= this.#renew().finally(() => this.#renewing = undefined);
  }

  #mayRenew(): boolean {
    return performance.now() - this.#renewedAt >= this.#pause;
  }

  async #renew(): Promise<void> {
    if (!this.#mayRenew()) return;
    this.#renewedAt = performance.now();
    try {
      const key = await this.#fetchToken();
      this.#failures = 0;
      this.#client.authentication = { type: "token", key };
      this.#judge(readTokenTimes(key));
    } catch (error) {
      this.#failures++;
      if (this.#failures === 1) {
        this.#report(`Cannot renew the token for ${this.#client.url}, trying again`, error);
      }
      this.#arm(Math.min(LONGEST_RETRY, LEAST_PAUSE * this.#failures));
    }
  }

  /** Schedules the next renewal by the expiry of a new token. */
  #judge({ exp, iat }: TokenTimes): void {
    const left = exp === undefined ? Infinity : exp * 1000 - Date.now();
    const lifetime = exp === undefined || iat === undefined ? 0 : (exp - iat) * 1000;
    // With correct clocks, a new token has more than half of its lifetime left.
    if (left > 0 && left > lifetime / 4) {
      if (!this.#wasRefused) {
        this.#pause = LEAST_PAUSE;
        this.#hasReported = false;
      }
      return this.#schedule();
    }
    this.#goodUntil = Infinity;
    this.#backOff("has expired according to the clock of this machine");
    this.#arm(this.#pause);
  }

  /** Handles a remote's report that the token has expired. */
  #refused(): void {
    if (!this.#mayRenew()) return;
    const sinceRenewal = performance.now() - this.#renewedAt;
    // The pause that may grow here is the one after this renewal.
    void this.renew();
    if (sinceRenewal >= 4 * this.#pause) {
      this.#wasRefused = false;
      this.#pause = LEAST_PAUSE;
    } else if (this.#wasRefused) this.#backOff("is refused as expired");
    else this.#wasRefused = true;
  }

  #backOff(what: string): void {
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    if (this.#hasReported) return;
    this.#hasReported = true;
    this.#report(
      `A new token for ${this.#client.url} ${what}: ` +
        "check the clocks of this machine, of Kontrol and of that kite",
    );
  }

  #readToken(): void {
    const { type, key = "" } = this.#client.authentication ?? {};
    const { exp } = type === "token" ? readTokenTimes(key) : {};
    this.#goodUntil = exp === undefined ? Infinity : exp * 1000;
  }

  #schedule(): void {
    const { type, key } = this.#client.authentication ?? {};
    if (type !== "token" || key === undefined) return;
    if (key === "") return void this.renew();
    const { exp } = readTokenTimes(key);
    if (exp === undefined) return;
    const left = exp * 1000 - Date.now();
    this.#arm(left > RENEW_BEFORE ? left - RENEW_BEFORE : left / 2);
  }

  #arm(delay: number): void {
    this.#timer?.clear();
    if (this.#client.state !== "open") return;
    const pause = this.#renewedAt + this.#pause - performance.now();
    this.#timer = new Timer(() => {
      this.#wasRefused = false;
      void this.renew();
    }, Math.max(LEAST_PAUSE, pause, delay));
  }

  #stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }
}

/** Resolves with `work`, or after `milliseconds`. */
async function within(milliseconds: number, work: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
