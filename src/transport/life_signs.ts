import { Timer } from "../runtime/timer.ts";

/**
 * Detects silent peers with one timer. After half of the timeout it sends a ping; after the whole
 * timeout it reports the peer as lost.
 */
export class LifeSigns {
  #last = 0;
  #timer: Timer | undefined;
  readonly #idleTimeout: number;
  readonly #ask: () => void;
  readonly #lost: () => void;
  readonly #check = (): void => {
    const silent = performance.now() - this.#last;
    if (silent >= this.#idleTimeout) {
      this.#timer = undefined;
      return this.#lost();
    }
    const half = this.#idleTimeout / 2;
    this.#arm(silent < half ? half - silent : this.#idleTimeout - silent);
    if (silent >= half) this.#ask();
  };

  /** @param idleTimeout milliseconds. */
  constructor(idleTimeout: number, ask: () => void, lost: () => void) {
    this.#idleTimeout = idleTimeout;
    this.#ask = ask;
    this.#lost = lost;
  }

  start(): void {
    this.heard();
    this.#arm(this.#idleTimeout / 2);
  }

  /** Records that data has arrived from the peer. */
  heard(): void {
    this.#last = performance.now();
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #arm(delay: number): void {
    this.#timer = new Timer(this.#check, Math.ceil(delay));
  }
}
