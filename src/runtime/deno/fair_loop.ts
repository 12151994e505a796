import { replaceTurns, type Turns } from "../turn.ts";

/**
 * Deno asks the system for events of the network when it is idle, otherwise only in every 61st turn of
 * its event loop, as tokio does by default.
 */
const TURNS_PER_LOOK = 61;

/** Milliseconds of work after which Deno must look at the network. */
const MAX_WORK = 10;

/** The same in milliseconds of time, while work is waiting. */
const MAX_TIME = 3;

/** Milliseconds up to which the time between two pieces of work was work as well, in microtasks. */
const SAME_WORK = 0.1;

/** Milliseconds without work after which Deno was idle, and has looked at the network. */
const IDLE = 3;

interface ImmediateScope {
  setImmediate?: (callback: () => void) => unknown;
}

/** Former versions of Deno have no `setImmediate`, and poll often enough without it. */
const { setImmediate = queueMicrotask } = globalThis as ImmediateScope;

/**
 * Shares Deno's event loop between all connections.
 *
 * While many connections have work, turn follows turn, and Deno would notice only after 61 turns of
 * several milliseconds what others have sent. Therefore all work has to wait after 10 ms of it until
 * Deno has looked at the network: for 61 empty turns, which take about 0.3 ms. Then the waiting work
 * continues, piece by piece, and the light pieces first.
 */
export class FairLoop implements Turns {
  /** Milliseconds of work since the last look at the network. */
  #worked = 0;
  #lastEnd = 0;
  /** True while work must wait. */
  #isBusy = false;
  readonly #light: (() => void)[] = [];
  readonly #heavy: (() => void)[] = [];
  readonly #callbacks: (() => void)[] = [];
  #isHeavyNext = false;

  afterTurn(callback: () => void): void {
    if (this.#isBusy) this.#callbacks.push(callback);
    else setImmediate(() => this.#run(callback));
  }

  afterOthers(callback: () => void): void {
    if (this.#isBusy) this.#heavy.push(callback);
    // Deno looks at the network while it waits for a timer, if nobody else has work.
    else setTimeout(() => this.#run(callback), 0);
  }

  /**
   * Call it before a connection does a piece of work.
   *
   * @param isLight true if the work probably takes much less than a millisecond
   * @returns what to wait for; undefined if the work can be done now
   */
  turn(isLight: boolean): Promise<void> | undefined {
    if (!this.#isBusy) return undefined;
    return new Promise((resolve) => (isLight ? this.#light : this.#heavy).push(resolve));
  }

  /**
   * Adds work that has just been done.
   *
   * @param start when it began, a time of `performance.now`
   * @returns its milliseconds
   */
  add(start: number): number {
    const end = performance.now();
    const pause = start - this.#lastEnd;
    const time = end - start;
    if (pause > IDLE) this.#worked = 0;
    this.#worked += pause < SAME_WORK ? end - this.#lastEnd : time;
    this.#lastEnd = end;
    if (this.#worked >= MAX_WORK && !this.#isBusy) {
      this.#isBusy = true;
      void this.#share();
    }
    return time;
  }

  #run(callback: () => void): void {
    const start = performance.now();
    try {
      callback();
    } finally {
      this.add(start);
    }
  }

  /** Looks at the network, and lets waiting work continue for a while, until none is left. */
  async #share(): Promise<void> {
    do {
      await look();
      const start = performance.now();
      for (let time = 0; time < MAX_TIME; time = performance.now() - start) {
        const next = this.#next(time < MAX_TIME / 2);
        if (next === undefined) break;
        try {
          this.#run(next);
        } catch (error) {
          reportError(error);
        }
        // A connection continues in a microtask.
        await undefined;
        await undefined;
      }
    } while (this.#light.length + this.#heavy.length + this.#callbacks.length > 0);
    this.#worked = 0;
    this.#isBusy = false;
  }

  /** Takes the next piece of work: callbacks and heavy work in turn, after the light work if it may be. */
  #next(mayBeLight: boolean): (() => void) | undefined {
    const next = mayBeLight ? this.#light.shift() : undefined;
    if (next !== undefined) return next;
    this.#isHeavyNext = !this.#isHeavyNext;
    const [first, second] = this.#isHeavyNext
      ? [this.#heavy, this.#callbacks]
      : [this.#callbacks, this.#heavy];
    return first.shift() ?? second.shift() ?? this.#light.shift();
  }
}

/** Runs as many empty turns as Deno needs to look at the network. */
function look(): Promise<void> {
  return new Promise((resolve) => {
    let left = TURNS_PER_LOOK;
    const turn = (): void => {
      if (--left === 0) resolve();
      else setImmediate(turn);
    };
    setImmediate(turn);
  });
}

/** The event loop of this process. Only Deno needs it; other runtimes look in every turn. */
export const fairLoop: FairLoop = new FairLoop();

if ("Deno" in globalThis && "setImmediate" in globalThis) replaceTurns(fairLoop);
