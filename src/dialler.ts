import { KiteError } from "./protocol/errors.ts";
import { cannotUse } from "./protocol/refusal.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { type Connect, connectCustom } from "./transport/custom.ts";
import type { ClientTransport, DialSession } from "./transport/dial.ts";
import type { Limits } from "./protocol/limits.ts";
import { pause } from "./runtime/turn.ts";
import type { Session } from "./transport/session.ts";

/**
 * Milliseconds. If a connection lasts less than this, the next attempt waits, and the delays
 * between attempts continue to grow.
 */
const BRIEF = 1_000;

/** Options of a {@linkcode Dialler}. */
export interface DiallerOptions {
  readonly dialSession: DialSession;
  readonly transport: ClientTransport;
  /** Opens the sessions in place of `transport`. */
  readonly connect?: Connect | undefined;
  /** Maximum duration of one attempt, milliseconds. */
  readonly handshakeTimeout: number;
  /** Milliseconds without data or pongs until a connection counts as lost. */
  readonly idleTimeout?: number | undefined;
  /** Certificates of private authorities, PEM. */
  readonly ca: string | readonly string[];
  readonly limits: Limits;
  readonly backoff: BackoffOptions;
  /** Aborted when the client is closed. */
  readonly lifetime: AbortSignal;
}

/** Callbacks of a {@linkcode Dialler}. */
export interface DiallerEvents {
  /** Called when an attempt has failed. */
  dialError(error: KiteError, attempt: number): void;
  /** Called when the last of the allowed attempts has failed. */
  giveUp(attempts: number): void;
}

/** Opens sessions to one of several URLs, with one attempt or until an attempt succeeds. */
export class Dialler {
  readonly #urls: readonly string[];
  readonly #options: DiallerOptions;
  readonly #events: DiallerEvents;
  readonly #backoff: Backoff;
  /** Counts failed attempts and ended connections. The next attempt uses the next URL. */
  #turn = 0;
  /** `performance.now()` when the latest connection opened. */
  #openedAt = -Infinity;
  /** True if the latest connection lasted less than {@linkcode BRIEF}. */
  #wasBrief = false;
  #failure: KiteError | undefined;
  /** Attempts that failed since the latest connection. */
  #failures = 0;
  #failedAt = -Infinity;
  /** Ends the pause before the next attempt; undefined if there is none. */
  #endPause: (() => void) | undefined;

  /** @throws {KiteError} `configError` if there is no URL or an option cannot be used */
  constructor(
    url: string | URL | readonly string[],
    options: DiallerOptions,
    events: DiallerEvents,
  ) {
    this.#urls = readUrls(url);
    this.#options = options;
    this.#events = events;
    this.#backoff = new Backoff(options.backoff);
  }

  /** The URL in use. */
  get url(): string {
    return this.#urls[this.#turn % this.#urls.length]!;
  }

  /** The error of the latest attempt; undefined after a success. */
  get failure(): KiteError | undefined {
    return this.#failure;
  }

  /** True if each URL has failed since the latest connection. */
  get hasTriedAll(): boolean {
    return this.#failures >= this.#urls.length;
  }

  /**
   * Ends the pause before the next attempt, unless the latest one failed less than a second ago.
   */
  hurry(): void {
    if (performance.now() - this.#failedAt >= BRIEF) this.#endPause?.();
  }

  /** Called when the connection has ended. The next attempt uses the next URL. */
  moveOn(): void {
    this.#turn++;
    this.#wasBrief = performance.now() - this.#openedAt < BRIEF;
    if (!this.#wasBrief) this.#backoff.reset();
  }

  /**
   * Makes one attempt.
   *
   * @param timeout milliseconds; `handshakeTimeout` if undefined
   */
  async dial(timeout: number | undefined, signal: AbortSignal | undefined): Promise<Session> {
    const { connect, dialSession, idleTimeout, transport, ca, limits, lifetime } = this.#options;
    const attempt = {
      handshakeTimeout: timeout ?? this.#options.handshakeTimeout,
      signal: anySignal(lifetime, signal),
    };
    try {
      const session = await (connect !== undefined
        ? connectCustom(connect, this.url, attempt)
        : dialSession(this.url, {
          ...attempt,
          transport,
          idleTimeout,
          ca,
          limits,
        }));
      this.#openedAt = performance.now();
      this.#failure = undefined;
      this.#failures = 0;
      return session;
    } catch (error) {
      this.#turn++;
      if (error instanceof KiteError) this.#failure = error;
      this.#failures++;
      this.#failedAt = performance.now();
      throw error;
    }
  }

  /**
   * Makes attempts until one succeeds.
   *
   * @throws {KiteError} the error of the latest attempt: after `maxAttempts`, after an abort, or if
   * it is a `configError`, which every further attempt would have, too
   */
  async dialForever(signal: AbortSignal | undefined): Promise<Session> {
    const until = anySignal(this.#options.lifetime, signal);
    let failure = this.#wasBrief
      ? new KiteError(
        "disconnect",
        `Cannot stay connected to ${this.url}: it closes each connection immediately`,
      )
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

  /** Waits before the next attempt. Throws `failure` if no attempt is left. */
  async #pause(failure: KiteError, until: AbortSignal): Promise<void> {
    const delay = this.#backoff.next();
    if (delay === undefined) {
      this.#events.giveUp(this.#backoff.attempts);
      this.#backoff.reset();
      this.#wasBrief = false;
      throw failure;
    }
    const pausing = new AbortController();
    this.#endPause = () => pausing.abort();
    await pause(delay, AbortSignal.any([until, pausing.signal]));
    this.#endPause = undefined;
    if (until.aborted) throw failure;
  }
}

function anySignal(own: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  return other === undefined ? own : AbortSignal.any([own, other]);
}

function readUrls(url: string | URL | readonly string[]): readonly string[] {
  const urls: unknown = typeof url === "string" || url instanceof URL ? [String(url)] : url;
  if (Array.isArray(urls) && urls.length > 0 && urls.every((each) => typeof each === "string")) {
    return [...urls];
  }
  throw cannotUse("url", "must be a URL such as http://localhost:3636/kite, or an array of URLs", {
    value: url,
  });
}
