import { readTokenClaims } from "../auth/jwt.ts";
import type { Client } from "../client.ts";
import { KiteError } from "../protocol/errors.ts";
import { Timer } from "../runtime/timer.ts";

/** Milliseconds before its end at which a token is renewed. */
const RENEW_BEFORE = 30_000;

/** Milliseconds between two renewals of one client, at least: Kontrol may hand out the same again. */
const LEAST_PAUSE = 1_000;

/** Milliseconds after which a renewal that failed is tried again. */
const RETRY_AFTER = 5_000;

/**
 * Keeps a client's token fresh while it is connected: renews it 30 s before it ends, and as soon as
 * the remote calls it expired.
 */
export class TokenRenewer {
  readonly #client: Client;
  readonly #fetchToken: () => Promise<string>;
  readonly #report: (what: string, error: unknown) => void;
  #timer: Timer | undefined;
  #renewing: Promise<void> | undefined;
  #renewedAt = -Infinity;

  /** @param fetchToken gets a token that is not an earlier one from a cache */
  constructor(
    client: Client,
    fetchToken: () => Promise<string>,
    report: (what: string, error: unknown) => void,
  ) {
    this.#client = client;
    this.#fetchToken = fetchToken;
    this.#report = report;
    client.on("connect", () => this.#schedule());
    client.on("disconnect", () => this.#stop());
    client.on("tokenExpire", () => void this.renew());
  }

  /** Renews now. What is under way already counts; at most one a second is begun. */
  renew(): Promise<void> {
    return this.#renewing ??= this.#renew().finally(() => this.#renewing = undefined);
  }

  async #renew(): Promise<void> {
    if (performance.now() - this.#renewedAt < LEAST_PAUSE) return;
    this.#renewedAt = performance.now();
    try {
      this.#client.authentication = { type: "token", key: await this.#fetchToken() };
      this.#schedule();
    } catch (error) {
      this.#report(`a token for ${this.#client.url} could not be renewed`, error);
      this.#arm(RETRY_AFTER);
    }
  }

  #schedule(): void {
    const key = this.#client.authentication?.key;
    if (key === undefined) return;
    if (key === "") return void this.renew();
    const { exp } = readClaims(key);
    if (exp !== undefined) this.#arm(exp * 1000 - RENEW_BEFORE - Date.now());
  }

  #arm(delay: number): void {
    this.#timer?.clear();
    if (this.#client.state !== "open") return;
    this.#timer = new Timer(() => void this.renew(), Math.max(LEAST_PAUSE, delay));
  }

  #stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }
}

function readClaims(token: string): { readonly exp?: number } {
  try {
    return readTokenClaims(token);
  } catch (error) {
    if (error instanceof KiteError) return {};
    throw error;
  }
}
