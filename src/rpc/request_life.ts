import { KiteError } from "../protocol/errors.ts";
import { Timer } from "../runtime/timer.ts";
import type { IncomingRequest } from "./codec.ts";
import { disconnected } from "./disconnected.ts";

/** How long the answer to a request is wanted. Created only for requests that take time or ask. */
export class RequestLife {
  readonly #deadline: number | undefined;
  readonly #method: string;
  readonly #lives: RequestLives;
  #isGivenUp = false;
  #isAnswered = false;
  #abort: AbortController | undefined;
  #timer: Timer | undefined;

  /**
   * Begins now: the caller's timeout counts from here.
   *
   * @param lives those of the session
   */
  constructor(
    { method, timeout }: Pick<IncomingRequest, "method" | "timeout">,
    lives: RequestLives,
  ) {
    this.#method = method;
    this.#lives = lives;
    this.#deadline = timeout === undefined ? undefined : Date.now() + timeout;
  }

  /**
   * When the caller stops waiting, in milliseconds since the epoch; undefined if it does not say, and
   * once the request is answered.
   */
  get deadline(): number | undefined {
    return this.#isAnswered ? undefined : this.#deadline;
  }

  /** True if the caller has given the call up: the answer is not sent. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** Aborted when the caller gives up, the deadline passes, or the session ends. */
  get signal(): AbortSignal {
    return (this.#abort ??= this.#open()).signal;
  }

  /** The caller has given the call up. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.abort(this.#givenUpError());
  }

  /** The request is answered: of what aborts the signal, only the end of the session is left. */
  end(): void {
    this.#isAnswered = true;
    this.#stopTimer();
    if (this.#abort !== undefined && !this.#abort.signal.aborted) this.#lives.keep(this);
  }

  /** The streams of the answer have ended: nothing aborts the signal any more. */
  close(): void {
    this.#stopTimer();
    this.#lives.remove(this);
  }

  /** The caller has left the streams of the answer. */
  leave(): void {
    this.#isGivenUp = true;
    this.abort(new KiteError("aborted", `The caller has left the stream of "${this.#method}"`));
  }

  /** Aborts the signal, if anybody asked for it. */
  abort(reason: KiteError): void {
    this.#stopTimer();
    this.#lives.remove(this);
    this.#abort?.abort(reason);
  }

  #open(): AbortController {
    const abort = new AbortController();
    if (this.#isGivenUp) abort.abort(this.#givenUpError());
    else if (!this.#lives.add(this)) abort.abort(disconnected());
    else if (this.deadline !== undefined) {
      this.#timer = new Timer(
        () => this.abort(new KiteError("timeout", `The deadline of "${this.#method}" has passed`)),
        Math.max(0, this.deadline - Date.now()),
      );
    }
    return abort;
  }

  #stopTimer(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #givenUpError(): KiteError {
    return new KiteError("aborted", `The caller has given up "${this.#method}"`);
  }
}

/** The requests of one session whose signal was asked for. */
export class RequestLives {
  readonly #most: number;
  #running: Set<RequestLife> | undefined;
  /** Those that are answered, the oldest first: a handler may go on until the session ends. */
  #answered: Set<RequestLife> | undefined;
  #isEnded = false;

  /**
   * Begins without requests.
   *
   * @param most answered requests whose signal is still aborted when the session ends; the oldest is
   * forgotten when there are more
   */
  constructor(most: number) {
    this.#most = most;
  }

  /** Requests whose signal will be aborted when the session ends. */
  get size(): number {
    return (this.#running?.size ?? 0) + (this.#answered?.size ?? 0);
  }

  /**
   * Adds a request that runs.
   *
   * @returns false when the session has ended
   */
  add(life: RequestLife): boolean {
    if (this.#isEnded) return false;
    this.#running ??= new Set();
    this.#running.add(life);
    return true;
  }

  /** Keeps a request that is answered, as long as there are not too many. */
  keep(life: RequestLife): void {
    if (this.#running?.delete(life) !== true) return;
    this.#answered ??= new Set();
    this.#answered.add(life);
    if (this.#answered.size <= this.#most) return;
    for (const oldest of this.#answered) {
      this.#answered.delete(oldest);
      return;
    }
  }

  /** Forgets a request. */
  remove(life: RequestLife): void {
    if (this.#running?.delete(life) !== true) this.#answered?.delete(life);
  }

  /** The session has ended: aborts every signal. */
  end(): void {
    this.#isEnded = true;
    const lives = [...(this.#running ?? []), ...(this.#answered ?? [])];
    for (const life of lives) life.abort(disconnected());
  }
}
