/** Maximum number of reserved IDs of one user; beyond it, the oldest is released. */
const MAX_PER_USER = 10_000;

/** Maximum number of reserved IDs of all users. */
const MAX_TOTAL = 200_000;

interface Reservation {
  readonly username: string;
  readonly until: number;
}

/** Reserves the IDs of kites that were removed for their users, since a kite may return. */
export class ReservedIds {
  readonly #byId = new Map<string, Reservation>();
  readonly #byUser = new Map<string, Set<string>>();

  /** The number of reserved IDs. */
  get size(): number {
    return this.#byId.size;
  }

  /** The user for whom an ID is reserved at the time `now`. */
  holderOf(id: string, now: number): string | undefined {
    const reservation = this.#byId.get(id);
    if (reservation === undefined) return undefined;
    if (now < reservation.until) return reservation.username;
    this.release(id);
    return undefined;
  }

  /** Reserves an ID. Beyond a limit, releases the oldest ID of the same user. */
  reserve(id: string, username: string, until: number): void {
    this.release(id);
    let ids = this.#byUser.get(username);
    if (ids === undefined) this.#byUser.set(username, ids = new Set());
    ids.add(id);
    this.#byId.set(id, { username, until });
    if (ids.size <= MAX_PER_USER && this.#byId.size <= MAX_TOTAL) return;
    for (const oldest of ids) return this.release(oldest);
  }

  /** Releases an ID. */
  release(id: string): void {
    const reservation = this.#byId.get(id);
    if (reservation === undefined) return;
    this.#byId.delete(id);
    const ids = this.#byUser.get(reservation.username);
    ids?.delete(id);
    if (ids?.size === 0) this.#byUser.delete(reservation.username);
  }

  /** Releases expired reservations, which are roughly in order of expiry. */
  prune(now: number): void {
    for (const [id, { until }] of this.#byId) {
      if (now < until) return;
      this.release(id);
    }
  }

  /** Releases all IDs. */
  clear(): void {
    this.#byId.clear();
    this.#byUser.clear();
  }
}
