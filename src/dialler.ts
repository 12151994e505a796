import { KiteError } from "./protocol/errors.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { type ClientTransport, dialSession } from "./transport/dial.ts";
import type { Limits } from "./protocol/limits.ts";
import { pause } from "./runtime/turn.ts";
import type { Session } from "./transport/session.ts";

/** Milliseconds: a connection that ends sooner does not make the delays begin anew. */
const BRIEF = 1_000;

/** How each try to connect is made. */
export interface DiallerOptions {
  readonly transport: ClientTransport;
  /** Milliseconds that one try may take. */
  readonly handshakeTimeout: number;
  /** Milliseconds without a sign of life until a connection counts as lost. */
  readonly idleTimeout: number | undefined;
  readonly limits: Limits;
  readonly backoff: BackoffOptions;
  /** Aborted when nothing is to be dialled any more. */
  readonly lifetime: AbortSignal;
}

/** Who hears of tries that failed. */
export interface DiallerEvents {
  /** One try failed. */
  dialError(error: KiteError, attempt: number): void;
  /** The last try that was allowed failed. */
  giveUp(attempts: number): void;
}

/** Connects to one of several URLs, once or until it succeeds. */
export class Dialler {
  readonly #urls: readonly string[];
  readonly #options: DiallerOptions;
  readonly #events: DiallerEvents;
  readonly #backoff: Backoff;
  /** Counts tries that failed and connections that went: the next try goes to the next URL. */
  #turn = 0;
  /** `performance.now()` when the latest connection came about. */
  #openedAt = -Infinity;
  /** The latest connection ended as soon as it was there: the next one shall wait. */
  #wasBrief = false;

  /** @throws {KiteError} `configError` when there is no URL, or a wrong backoff option */
  constructor(urls: readonly string[], options: DiallerOptions, events: DiallerEvents) {
    if (urls.length === 0) throw new KiteError("configError", "a client needs a URL");
    this.#urls = urls;
    this.#options = options;
    this.#events = events;
    this.#backoff = new Backoff(options.backoff);
  }

  /** The URL in use. */
  get url(): string {
    return this.#urls[this.#turn % this.#urls.length]!;
  }

  /** The connection is gone: the next try goes to the next URL, and not at once after a brief one. */
  moveOn(): void {
    this.#turn++;
    this.#wasBrief = performance.now() - this.#openedAt < BRIEF;
    if (!this.#wasBrief) this.#backoff.reset();
  }

  /** Tries once. @param timeout milliseconds @default `handshakeTimeout` */
  async dial(timeout: number | undefined, signal: AbortSignal | undefined): Promise<Session> {
    const { idleTimeout, handshakeTimeout, transport, limits, lifetime } = this.#options;
    try {
      const session = await dialSession(this.url, {
        transport,
        handshakeTimeout: timeout ?? handshakeTimeout,
        ...(idleTimeout === undefined ? {} : { idleTimeout }),
        limits,
        signal: anySignal(lifetime, signal),
      });
      this.#openedAt = performance.now();
      return session;
    } catch (error) {
      this.#turn++;
      throw error;
    }
  }

  /** Tries until it succeeds; throws the last error when that is hopeless or not wanted any more. */
  async dialForever(signal: AbortSignal | undefined): Promise<Session> {
    const until = anySignal(this.#options.lifetime, signal);
    let failure = this.#wasBrief
      ? new KiteError("disconnect", `${this.url} ends connections as soon as they are there`)
      : undefined;
    for (;;) {
      if (failure !== undefined) await this.#pause(failure, until);
      try {
        return await this.dial(undefined, signal);
      } catch (error) {
        if (until.aborted || !(error instanceof KiteError) || error.type === "configError") {
          throw error;
        }
        this.#events.dialError(error, this.#backoff.attempts + 1);
        failure = error;
      }
    }
  }

  /** Waits for the next try; throws `failure` when there shall be none. */
  async #pause(failure: KiteError, until: AbortSignal): Promise<void> {
    const delay = this.#backoff.next();
    if (delay === undefined) {
      this.#events.giveUp(this.#backoff.attempts);
      this.#backoff.reset();
      this.#wasBrief = false;
      throw failure;
    }
    await pause(delay, until);
    if (until.aborted) throw failure;
  }
}

function anySignal(own: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  return other === undefined ? own : AbortSignal.any([own, other]);
}
