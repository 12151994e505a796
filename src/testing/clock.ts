import { install } from "@sinonjs/fake-timers";
import { cannotUse } from "../protocol/refusal.ts";
import { afterTurn } from "../runtime/turn.ts";

/** The part of an installed clock that is used here. */
type InstalledClock = Pick<ReturnType<typeof install>, "now" | "tickAsync" | "uninstall">;

const FAKED = Object.freeze(
  [
    "Date",
    "performance",
    "setTimeout",
    "clearTimeout",
    "setInterval",
    "clearInterval",
  ] as const,
);

/** Options of {@linkcode FakeClock}. */
export interface FakeClockOptions {
  /**
   * The time at which the clock starts, in milliseconds since the epoch.
   *
   * @default the current time
   */
  readonly now?: number;
}

/**
 * A clock that stands still until a test moves it. It replaces `Date`, `performance.now`, `setTimeout`
 * and `setInterval` of the process until it is disposed, so everything in a kite follows it: timeouts,
 * renewals of tokens, heartbeats, throttles and the delays between reconnections.
 *
 * Create the clock before the kites. Connect the kites in memory: sockets do not follow the clock.
 *
 * @example
 * ```ts
 * import { Kite } from "@kite/kite";
 * import { connectKites, FakeClock } from "@kite/kite/testing";
 *
 * using clock = new FakeClock();
 * await using exp2 = new Kite("exp2", "1.0.0");
 * await using math = new Kite("math", "1.0.0", { disableAuthentication: true });
 * await using kites = await connectKites(exp2, math);
 * let beats = 0;
 * await kites.client.tell("kite.heartbeat", 10, () => beats++);
 * await clock.tick(60_000);
 * console.assert(beats === 7); // one immediately, then one each 10 s
 * ```
 */
export class FakeClock implements Disposable {
  readonly #clock: InstalledClock;

  /**
   * Stops the time.
   *
   * @throws {TypeError} if another clock has not been disposed
   */
  constructor({ now = Date.now() }: FakeClockOptions = {}) {
    this.#clock = install({ now, toFake: [...FAKED] });
  }

  /** The time of the clock, in milliseconds since the epoch. */
  get now(): number {
    return this.#clock.now;
  }

  /**
   * Moves the time forward. Timers fire in their order, and the messages and promises that they cause
   * are handled before the next timer fires.
   *
   * @param milliseconds at least 0
   * @throws {KiteError} `configError` for another number
   */
  async tick(milliseconds: number): Promise<void> {
    if (!(milliseconds >= 0 && milliseconds < Infinity)) {
      const rule = "must be a number of milliseconds, at least 0";
      throw cannotUse("tick", rule, { value: milliseconds });
    }
    await settle();
    await this.#clock.tickAsync(milliseconds);
    await settle();
  }

  /** Restores the real clock. */
  [Symbol.dispose](): void {
    this.#clock.uninstall();
  }
}

/** Turns of the event loop in which messages and promises are handled around a tick. */
const TURNS = 10;

/** Lets what is under way finish, as far as it does not wait for a timer. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise<void>(afterTurn);
}
