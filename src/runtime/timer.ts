/** The longest delay of `setTimeout`, milliseconds. It fires immediately for longer ones. */
const LONGEST_DELAY = 2_147_483_647;

/**
 * A timeout of any length. `Infinity` never fires, and does not keep the process alive.
 *
 * @example
 * ```ts
 * import { Timer } from "./timer.ts";
 *
 * const timer = new Timer(() => console.log("a month has passed"), 30 * 86_400_000);
 * timer.clear();
 * ```
 */
export class Timer {
  readonly #callback: () => void;
  #id: ReturnType<typeof setTimeout> | undefined;
  /** Milliseconds that remain after the current timeout. */
  #rest: number;

  /** @param milliseconds at least 0 */
  constructor(callback: () => void, milliseconds: number) {
    this.#callback = callback;
    this.#rest = milliseconds;
    this.#arm();
  }

  /** Cancels the timeout; does nothing once it has fired. */
  clear(): void {
    clearTimeout(this.#id);
    this.#id = undefined;
  }

  #arm(): void {
    if (this.#rest === Infinity) return;
    const delay = Math.min(this.#rest, LONGEST_DELAY);
    this.#rest -= delay;
    this.#id = setTimeout(this.#fire, delay);
  }

  readonly #fire = (): void => {
    this.#id = undefined;
    if (this.#rest > 0) this.#arm();
    else this.#callback();
  };
}
