import type { Limits } from "../../../protocol/limits.ts";
import { addressKey } from "../../address.ts";
import { frameLimit, type ServerSession } from "./session.ts";

/** Counts the bytes of request bodies that are being received, and refuses those beyond the limits. */
export class IncomingBytes {
  readonly #server: number;
  readonly #perAddress: number;
  #total = 0;
  readonly #byAddress = new Map<string, number>();
  readonly #bySession = new Map<ServerSession, number>();

  /** A single body always fits, so that `messageBytes` alone decides about it. */
  constructor(limits: Limits) {
    const one = frameLimit(limits);
    this.#server = Math.max(limits.incomingBytes, one);
    this.#perAddress = Math.max(limits.incomingBytesPerAddress, one);
  }

  /** Bytes counted at present. */
  get total(): number {
    return this.#total;
  }

  /**
   * Counts bytes that have arrived.
   *
   * @param perSession bytes that all bodies of `session` may hold together
   * @returns false, and counts nothing, when a limit would be passed
   */
  take(session: ServerSession, bytes: number, perSession: number): boolean {
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

  /** Forgets bytes that were taken, once their body has been handled. */
  release(session: ServerSession, bytes: number): void {
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
