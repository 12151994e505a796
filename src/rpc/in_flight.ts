import type { Limits } from "../protocol/limits.ts";

/** Bytes that each session may always use, so that busy sessions do not block others. */
const RESERVED_BYTES = 65_536;

/** The bytes in flight of all sessions of one kite. */
export interface TotalInFlight {
  bytes: number;
}

/**
 * Counts the bytes of messages whose requests are running, or whose callbacks are running or waiting,
 * per session and for all sessions of a kite.
 */
export class InFlight {
  readonly #limits: Limits;
  readonly #total: TotalInFlight;
  #bytes = 0;

  /** @param total shared by every session of the kite */
  constructor(limits: Limits, total: TotalInFlight) {
    this.#limits = limits;
    this.#total = total;
  }

  /** True if a message of this size may be processed. A single message is always accepted. */
  hasRoom(bytes: number): boolean {
    const used = this.#bytes + bytes;
    if (this.#bytes > 0 && used > this.#limits.inFlightBytes) return false;
    return used <= RESERVED_BYTES || this.#total.bytes === 0 ||
      this.#total.bytes + bytes <= this.#limits.totalInFlightBytes;
  }

  /** Counts a message. */
  add(bytes: number): void {
    this.#bytes += bytes;
    this.#total.bytes += bytes;
  }

  /** Subtracts a message that has been processed. */
  remove(bytes: number): void {
    this.#bytes -= bytes;
    this.#total.bytes -= bytes;
  }
}
