import { KiteError } from "../protocol/errors.ts";
import { Timer } from "../runtime/timer.ts";
import type { IncomingRequest } from "./codec.ts";
import { disconnected } from "./disconnected.ts";

/** The deadline, cancellation and signal of a request. Created only for requests that need it. */
export class RequestLife {
  readonly #deadline: number | undefined;
  readonly #method: string;
  readonly #lives: RequestLives;
  #isGivenUp = false;
  #isAnswered = false;
  #abort: AbortController | undefined;
  #timer: Timer | undefined;

  /**
   * Starts the caller's timeout.
   *
   * @param lives the table of the session
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
   * When the caller stops waiting, in milliseconds since the epoch; undefined if it does not say,
   * or if the request was answered.
   */
  get deadline(): number | undefined {
    return this.#isAnswered ? undefined : this.#deadline;
  }

  /** True if the caller has cancelled the call. The answer is not sent. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** Aborted when the caller cancels the call, the deadline passes, or the session ends. */
  get signal(): AbortSignal {
    return (this.#abort ??= this.#open()).signal;
  }

  /** Handles that the caller has cancelled the call. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.abort(this.#givenUpError());
  }

  /**
   * Notes that the request was answered. From now on, only the end of the session aborts the
   * signal.
   */
  end(): void {
    this.#isAnswered = true;
    this.#stopTimer();
    if (this.#abort !== undefined && !this.#abort.signal.aborted) this.#lives.keep(this);
  }

  /** Notes that the streams of the answer have ended. Nothing aborts the signal any more. */
  close(): void {
    this.#stopTimer();
    this.#lives.remove(this);
  }

  /** Handles that the caller has stopped reading the streams of the answer. */
  leave(): void {
    this.#isGivenUp = true;
    this.abort(
      new KiteError("aborted", `The caller has stopped reading the stream of "${this.#method}"`),
    );
  }

  /** Aborts the signal, if it was used. */
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
    return new KiteError("aborted", `The caller has cancelled "${this.#method}"`);
  }
}

/** The requests of one session whose signal was used. */
export class RequestLives {
  readonly #most: number;
  #running: Set<RequestLife> | undefined;
  /** Answered requests, oldest first. Their handlers may run until the session ends. */
  #answered: Set<RequestLife> | undefined;
  #isEnded = false;

  /**
   * Creates an empty table.
   *
   * @param most maximum number of answered requests to keep; the oldest ones are removed
   */
  constructor(most: number) {
    this.#most = most;
  }

  /** The number of requests whose signal will be aborted when the session ends. */
  get size(): number {
    return (this.#running?.size ?? 0) + (this.#answered?.size ?? 0);
  }

  /**
   * Adds a running request.
   *
   * @returns false if the session has ended
   */
  add(life: RequestLife): boolean {
    if (this.#isEnded) return false;
    this.#running ??= new Set();
    this.#running.add(life);
    return true;
  }

  /** Moves a request to the answered ones. */
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

  /** Removes a request. */
  remove(life: RequestLife): void {
    if (this.#running?.delete(life) !== true) this.#answered?.delete(life);
  }

  /** Aborts every signal, after the end of the session. */
  end(): void {
    this.#isEnded = true;
    const lives = [...(this.#running ?? []), ...(this.#answered ?? [])];
    for (const life of lives) life.abort(disconnected());
  }
}
