import { readTokenTimes, type TokenTimes } from "../auth/token_times.ts";
import type { Client } from "../client.ts";
import { Timer } from "../runtime/timer.ts";

/** Milliseconds before its end at which a token is renewed. */
const RENEW_BEFORE = 30_000;

/** Milliseconds between two renewals for one client: at least, and at most after backing off. */
const LEAST_PAUSE = 1_000;
const LONGEST_PAUSE = 600_000;

/** Milliseconds until a failed renewal is tried again, at most. */
const LONGEST_RETRY = 5_000;

/** Milliseconds that a call waits for a new token, at most. */
const CALL_WAIT = 5_000;

/**
 * Keeps a client's token fresh while it is connected: renews it 30 s before it ends, before a call
 * that would show one that has ended, and when the remote calls it expired.
 *
 * A new token that seems to have ended already means that a clock is wrong. Then nothing here goes
 * by the clock any more, and the time between two renewals grows up to ten minutes.
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
  /** The remote refused the token that the last renewal gave. */
  #wasRefused = false;
  #hasReported = false;
  /** When the token ends, milliseconds since 1970; `Infinity` if that is not known. */
  #goodUntil = Infinity;

  /** @param fetchToken Has a new token signed. */
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

  /** What a call has to wait for, so that it does not show a token that has ended. */
  due(): Promise<void> | undefined {
    if (Date.now() < this.#goodUntil) return undefined;
    if (this.#renewing === undefined && !this.#mayRenew()) return undefined;
    return within(CALL_WAIT, this.renew());
  }

  /** Renews now, unless the last renewal is too recent. Concurrent callers share one renewal. */
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

  /** Decides by a new token when to ask for the next one. */
  #judge({ exp, iat }: TokenTimes): void {
    const left = exp === undefined ? Infinity : exp * 1000 - Date.now();
    const lifetime = exp === undefined || iat === undefined ? 0 : (exp - iat) * 1000;
    // A token signed just now has more than half of its lifetime left, by clocks that agree.
    if (left > 0 && left > lifetime / 4) {
      if (!this.#wasRefused) {
        this.#pause = LEAST_PAUSE;
        this.#hasReported = false;
      }
      return this.#schedule();
    }
    this.#goodUntil = Infinity;
    this.#backOff("has ended already by the clock of this machine");
    this.#arm(this.#pause);
  }

  /** The remote called the token expired. */
  #refused(): void {
    if (!this.#mayRenew()) return;
    const sinceRenewal = performance.now() - this.#renewedAt;
    if (sinceRenewal >= 4 * this.#pause) {
      this.#wasRefused = false;
      this.#pause = LEAST_PAUSE;
    } else if (this.#wasRefused) this.#backOff("is refused as expired");
    else this.#wasRefused = true;
    void this.renew();
  }

  #backOff(what: string): void {
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    if (this.#hasReported) return;
    this.#hasReported = true;
    this.#report(
      `A token for ${this.#client.url} that Kontrol signed just now ${what}: ` +
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
