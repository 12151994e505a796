import { KiteError } from "../protocol/errors.ts";
import { Timer } from "../runtime/timer.ts";

/** A call that waits for its answer. */
export interface PendingCall {
  readonly method: string;
  /** The timeout, milliseconds; 0 for no limit. */
  readonly timeout: number;
  /** `performance.now()` at which it fails; `Infinity` for no limit. */
  readonly deadline: number;
  /** Settles the caller's promise: with a value, or with a promise that rejects. */
  resolve(result: unknown): void;
  /**
   * Runs first when the call ends.
   *
   * @param error why it failed; undefined if it succeeded
   */
  cleanUp?(error: KiteError | undefined): void;
}

/** Creates the rejected promise that a failed call is resolved with. */
export type FailCall = (error: KiteError, method: string) => Promise<never>;

/**
 * The calls of one session that wait for an answer, by the id of their response callback.
 *
 * All calls share one timer. It is set for the earliest deadline, and checks every call when it
 * fires. Calls that end before their deadline need no timer operation.
 */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>();
  readonly #failed: FailCall;
  readonly #gaveUp: (id: number) => void;
  #timer: Timer | undefined;
  #timerAt = Infinity;

  /**
   * Creates an empty table.
   *
   * @param gaveUp called with the id of each call that times out
   */
  constructor(failed: FailCall, gaveUp: (id: number) => void) {
    this.#failed = failed;
    this.#gaveUp = gaveUp;
  }

  /** The number of waiting calls. */
  get size(): number {
    return this.#calls.size;
  }

  /** Adds a call. */
  add(id: number, call: PendingCall): void {
    this.#calls.set(id, call);
    if (call.deadline < this.#timerAt) this.#arm(call.deadline);
  }

  /** Removes and returns a call, which the caller must settle; undefined for an unknown id. */
  take(id: number): PendingCall | undefined {
    const call = this.#calls.get(id);
    if (call !== undefined) this.#calls.delete(id);
    return call;
  }

  /** Fails a call that {@linkcode take} returned. */
  fail(call: PendingCall, error: KiteError): void {
    call.cleanUp?.(error);
    call.resolve(this.#failed(error, call.method));
  }

  /** Fails every call, and stops the timer. */
  failAll(makeError: (call: PendingCall) => KiteError): void {
    this.#disarm();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) this.fail(call, makeError(call));
  }

  #arm(deadline: number): void {
    this.#timer?.clear();
    this.#timerAt = deadline;
    this.#timer = new Timer(this.#expire, Math.max(0, deadline - performance.now()));
  }

  #disarm(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  readonly #expire = (): void => {
    this.#disarm();
    const now = performance.now();
    let earliest = Infinity;
    for (const [id, call] of this.#calls) {
      if (call.deadline <= now) {
        this.#calls.delete(id);
        this.#gaveUp(id);
        this.fail(call, timeoutError(call.method, call.timeout));
      } else if (call.deadline < earliest) earliest = call.deadline;
    }
    if (earliest !== Infinity) this.#arm(earliest);
  };
}

/** Creates the error of a call that timed out, in Go's words (docs/protocol.md §4). */
export function timeoutError(method: string, timeout: number): KiteError {
  const bound = timeout < 1000 ? `${timeout}ms` : `${timeout / 1000}s`;
  return new KiteError("timeout", `No response to "${method}" method in ${bound}`);
}
