import { KiteError } from "../protocol/errors.ts";

/** Milliseconds; `setTimeout` counts in 31 bits and fires at once beyond. */
const LONGEST_TIMER = 2_147_483_647;

/** A call that waits for its answer. */
export interface PendingCall {
  readonly method: string;
  /** Milliseconds allowed; 0 for no bound. */
  readonly timeout: number;
  /** `performance.now()` at which it fails; `Infinity` for no bound. */
  readonly deadline: number;
  resolve(result: unknown): void;
  reject(error: KiteError): void;
}

/**
 * The calls of one session that wait, by the id of their response callback.
 *
 * One timer serves them all: it is set for the earliest deadline known and, when it fires, looks at
 * every call. Calls that end before their deadline cost no timer operation.
 */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;

  /** Calls that wait. */
  get size(): number {
    return this.#calls.size;
  }

  /** Adds a call. */
  add(id: number, call: PendingCall): void {
    this.#calls.set(id, call);
    if (call.deadline < this.#timerAt) this.#arm(call.deadline);
  }

  /** Takes a call out, to be settled by the caller; undefined for an unknown id. */
  take(id: number): PendingCall | undefined {
    const call = this.#calls.get(id);
    if (call !== undefined) this.#calls.delete(id);
    return call;
  }

  /** Fails every call, and stops the timer. */
  failAll(makeError: (call: PendingCall) => KiteError): void {
    this.#disarm();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.reject(makeError(call));
  }

  #arm(deadline: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = deadline;
    const wait = Math.min(LONGEST_TIMER, Math.max(0, deadline - performance.now()));
    this.#timer = setTimeout(this.#expire, wait);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
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
        call.reject(timeoutError(call.method, call.timeout));
      } else if (call.deadline < earliest) earliest = call.deadline;
    }
    if (earliest !== Infinity) this.#arm(earliest);
  };
}

/** What a call that got no answer in time fails with, in Go's words (docs/protocol.md §4). */
export function timeoutError(method: string, timeout: number): KiteError {
  const bound = timeout < 1000 ? `${timeout}ms` : `${timeout / 1000}s`;
  return new KiteError("timeout", `No response to "${method}" method in ${bound}`);
}
