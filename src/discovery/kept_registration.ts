import type { Client } from "../client.ts";
import { KiteError } from "../protocol/errors.ts";
import { Backoff } from "../backoff.ts";
import { isPermanent } from "./discovery_host.ts";
import type { RegisterResult } from "./register_result.ts";

/** Registers on every new connection to Kontrol, and retries failed registrations. */
export class KeptRegistration {
  /** Resolves after the first success; rejects when Kontrol refuses before one. */
  readonly first: Promise<RegisterResult>;
  readonly #client: Client;
  readonly #register: () => Promise<RegisterResult>;
  readonly #report: (error: unknown) => void;
  readonly #removeListener: () => void;
  readonly #backoff = new Backoff({ initialDelay: 500, maxDelay: 15_000 });
  readonly #settle: PromiseWithResolvers<RegisterResult>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;
  #hasSucceeded = false;

  constructor(
    client: Client,
    register: () => Promise<RegisterResult>,
    report: (error: unknown) => void,
  ) {
    this.#client = client;
    this.#register = register;
    this.#report = report;
    this.#settle = Promise.withResolvers();
    this.first = this.#settle.promise;
    this.#removeListener = client.onConnect(() => void this.#try());
    if (client.state === "open") void this.#try();
  }

  /** Registers again, now or on the next connection. */
  again(): void {
    if (this.#client.state === "open") void this.#try();
  }

  /** Stops registering. */
  stop(): void {
    this.#isStopped = true;
    this.#removeListener();
    clearTimeout(this.#timer);
    this.#settle.reject(new KiteError("aborted", "Cannot register: the registration was stopped"));
    this.first.catch(() => {}); // no one may be waiting for it
  }

  async #try(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const result = await this.#register();
      this.#backoff.reset();
      this.#hasSucceeded = true;
      this.#settle.resolve(result);
    } catch (error) {
      if (this.#isStopped) return;
      if (!this.#hasSucceeded && isPermanent(error)) {
        this.#settle.reject(error);
        return this.stop();
      }
      this.#report(error);
      // Without a connection, the next one triggers the next attempt.
      if (this.#client.state !== "open") return;
      this.#timer = setTimeout(() => void this.#try(), this.#backoff.next());
    }
  }
}
