import type { Limits } from "../../../protocol/limits.ts";
import { addressKey } from "../../address.ts";

/** Returns the maximum bytes of a frame, or of the body of an upstream request. */
export function frameLimit(limits: Limits): number {
  return 2 * limits.messageBytes; // escaping quotes at most doubles a message
}

/** A session that receives bytes. */
export interface Receiving {
  readonly remoteAddress: string;
}

/** Counts the bytes of incomplete messages and request bodies, and enforces their limits. */
export class IncomingBytes {
  readonly #server: number;
  readonly #perAddress: number;
  #total = 0;
  readonly #byAddress = new Map<string, number>();
  readonly #bySession = new Map<Receiving, number>();

  /** Limits below the size of a single body are raised to it, so that `messageBytes` applies. */
  constructor(limits: Limits) {
    const one = frameLimit(limits);
    this.#server = Math.max(limits.incomingBytes, one);
    this.#perAddress = Math.max(limits.incomingBytesPerAddress, one);
  }

  /** The currently counted bytes. */
  get total(): number {
    return this.#total;
  }

  /**
   * Counts received bytes.
   *
   * @param perSession maximum bytes of all bodies of `session`
   * @returns false if a limit would be exceeded; then nothing is counted
   */
  take(session: Receiving, bytes: number, perSession: number): boolean {
    const key = addressKey(session.remoteAddress);
    const ofSession = (this.#bySession.get(session) ?? 0) + bytes;
    const ofAddress = (this.#byAddress.get(key) ?? 0) + bytes;
    if (ofSession > perSession || this.#total + bytes > this.#server) return false;
    if (key !== "" && ofAddress > this.#perAddress) return false;
    this.#total += bytes;
    this.#bySession.set(session, ofSession);
    this.#byAddress.set(key, ofAddress);
    return true;
  }

  /** Subtracts counted bytes after their body has been handled. */
  release(session: Receiving, bytes: number): void {
    this.#total -= bytes;
    reduce(this.#bySession, session, bytes);
    reduce(this.#byAddress, addressKey(session.remoteAddress), bytes);
  }
}

function reduce<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  const left = (counts.get(key) ?? 0) - by;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
}
