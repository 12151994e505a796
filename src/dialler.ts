import { KiteError } from "./protocol/errors.ts";
import { cannotUse } from "./protocol/refusal.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import type { ClientTransport, DialSession } from "./transport/dial.ts";
import type { Limits } from "./protocol/limits.ts";
import { pause } from "./runtime/turn.ts";
import type { Session } from "./transport/session.ts";

/** Milliseconds: a connection that ends sooner does not reset the delays between tries. */
const BRIEF = 1_000;

/** How each try to connect is made. */
export interface DiallerOptions {
  readonly dialSession: DialSession;
  readonly transport: ClientTransport;
  /** Milliseconds that one try may take. */
  readonly handshakeTimeout: number;
  /** Milliseconds without a sign of life until a connection counts as lost. */
  readonly idleTimeout?: number | undefined;
  /** Certificates of private authorities, PEM. */
  readonly ca: string | readonly string[];
  readonly limits: Limits;
  readonly backoff: BackoffOptions;
  /** Aborted when nothing is to be dialled any more. */
  readonly lifetime: AbortSignal;
}

/** What the owner of a {@linkcode Dialler} is told. */
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
  /** Counts failed tries and ended connections: the next try goes to the next URL. */
  #turn = 0;
  /** `performance.now()` when the latest connection opened. */
  #openedAt = -Infinity;
  /** The latest connection ended at once: the next try waits. */
  #wasBrief = false;
  #failure: KiteError | undefined;
  /** Tries that failed since the latest connection. */
  #failures = 0;
  #failedAt = -Infinity;
  /** Ends the pause before the next try; undefined while there is none. */
  #endPause: (() => void) | undefined;

  /** @throws {KiteError} `configError` when there is no URL, or a backoff option cannot be used */
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

  /** Why the latest try failed; undefined after one that succeeded. */
  get failure(): KiteError | undefined {
    return this.#failure;
  }

  /** True if each URL has failed since the latest connection. */
  get hasTriedAll(): boolean {
    return this.#failures >= this.#urls.length;
  }

  /** Ends the pause before the next try, unless a try has failed just now. */
  hurry(): void {
    if (performance.now() - this.#failedAt >= BRIEF) this.#endPause?.();
  }

  /** The connection has ended: the next try goes to the next URL, after a pause if it was brief. */
  moveOn(): void {
    this.#turn++;
    this.#wasBrief = performance.now() - this.#openedAt < BRIEF;
    if (!this.#wasBrief) this.#backoff.reset();
  }

  /**
   * Tries once.
   *
   * @param timeout milliseconds; `handshakeTimeout` when undefined
   */
  async dial(timeout: number | undefined, signal: AbortSignal | undefined): Promise<Session> {
    const { dialSession, idleTimeout, handshakeTimeout, transport, ca, limits, lifetime } =
      this.#options;
    try {
      const session = await dialSession(this.url, {
        transport,
        handshakeTimeout: timeout ?? handshakeTimeout,
        ...(idleTimeout === undefined ? {} : { idleTimeout }),
        ca,
        limits,
        signal: anySignal(lifetime, signal),
      });
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

  /** Tries until it succeeds; throws the last error when further tries are useless or unwanted. */
  async dialForever(signal: AbortSignal | undefined): Promise<Session> {
    const until = anySignal(this.#options.lifetime, signal);
    let failure = this.#wasBrief
      ? new KiteError("disconnect", `${this.url} ends each connection at once`)
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

  /** Waits for the next try; throws `failure` when there will be none. */
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
  throw cannotUse("url", "must be a URL such as http://localhost:3636/kite, or several", {
    value: url,
  });
}
