import { KiteError } from "../protocol/errors.ts";
import { cannotUse } from "../protocol/refusal.ts";

/** What happens to one message. */
export type Fault =
  | { readonly kind: "drop" | "duplicate" | "halve" }
  | { readonly kind: "delay"; readonly milliseconds: number }
  /** The message is kept until `count` messages are, which then arrive in reverse order. */
  | { readonly kind: "reverse"; readonly count: number };

/** A fault and the number of messages that it still affects. */
interface Planned {
  readonly fault: Fault;
  left: number;
}

/**
 * The faults of one direction of a session. Each method plans a fault for the next messages, after
 * those that are planned already; messages beyond them arrive unchanged. A count can be `Infinity`.
 *
 * @example
 * ```ts
 * import { Faults } from "@kite/kite/testing";
 *
 * const faults = new Faults();
 * faults.pass(1).drop(2).duplicate(); // the first arrives, two get lost, the fourth arrives twice
 * ```
 */
export class Faults {
  readonly #plan: Planned[] = [];

  /** The number of messages that are still to be affected. */
  get pending(): number {
    return this.#plan.reduce((sum, { fault, left }) => fault === NONE ? sum : sum + left, 0);
  }

  /**
   * Lets messages through, so that a fault affects later ones.
   *
   * @throws {KiteError} `configError` if the count is not a positive integer or `Infinity`
   */
  pass(count: number): this {
    return this.#add(NONE, count);
  }

  /** Loses messages. */
  drop(count: number = 1): this {
    return this.#add({ kind: "drop" }, count);
  }

  /** Delivers messages twice. */
  duplicate(count: number = 1): this {
    return this.#add({ kind: "duplicate" }, count);
  }

  /** Delivers only the first half of the text of messages. */
  halve(count: number = 1): this {
    return this.#add({ kind: "halve" }, count);
  }

  /**
   * Delivers messages late. Later messages of the direction wait behind them.
   *
   * @param milliseconds the delay of each message
   */
  delay(milliseconds: number, count: number = 1): this {
    if (!(milliseconds >= 0)) {
      const rule = "must be a number of milliseconds, at least 0";
      throw cannotUse("delay", rule, { value: milliseconds });
    }
    return this.#add({ kind: "delay", milliseconds }, count);
  }

  /** Delivers messages in reverse order, once the last of them has been sent. */
  reverse(count: number = 2): this {
    if (!Number.isInteger(count)) {
      throw cannotUse("count", "must be an integer above 0", { value: count });
    }
    return this.#add({ kind: "reverse", count }, count);
  }

  /** Removes all planned faults. */
  clear(): void {
    this.#plan.length = 0;
  }

  /** Takes the fault of the next message; undefined if it arrives unchanged. */
  next(): Fault | undefined {
    const planned = this.#plan[0];
    if (planned === undefined) return undefined;
    if (--planned.left === 0) this.#plan.shift();
    return planned.fault === NONE ? undefined : planned.fault;
  }

  #add(fault: Fault, count: number): this {
    if (!(count > 0 && (count === Infinity || Number.isInteger(count)))) {
      throw cannotUse("count", "must be an integer above 0, or Infinity", { value: count });
    }
    if (this.#plan.some(({ left }) => left === Infinity)) {
      throw new KiteError(
        "configError",
        "Cannot plan a fault: an earlier one affects all messages, clear it first",
      );
    }
    this.#plan.push({ fault, left: count });
    return this;
  }
}

/** The fault of a message that arrives unchanged. */
const NONE: Fault = Object.freeze({ kind: "delay", milliseconds: 0 });
