/** Ids of one user that stay reserved, at most; the oldest goes first. */
const MOST_OF_USER = 10_000;

/** Ids of all users that stay reserved, at most. */
const MOST = 200_000;

interface Reservation {
  readonly username: string;
  readonly until: number;
}

/** Ids of kites that have gone, which stay with their users for a time: a kite may come back. */
export class ReservedIds {
  readonly #byId = new Map<string, Reservation>();
  readonly #byUser = new Map<string, Set<string>>();

  /** The number of reserved ids. */
  get size(): number {
    return this.#byId.size;
  }

  /** Whose id it is at the time `now`, if it is reserved. */
  holderOf(id: string, now: number): string | undefined {
    const reservation = this.#byId.get(id);
    if (reservation === undefined) return undefined;
    if (now < reservation.until) return reservation.username;
    this.release(id);
    return undefined;
  }

  /** Reserves an id. A user with too many of them loses the oldest one, never another user's. */
  reserve(id: string, username: string, until: number): void {
    this.release(id);
    let ids = this.#byUser.get(username);
    if (ids === undefined) this.#byUser.set(username, ids = new Set());
    ids.add(id);
    this.#byId.set(id, { username, until });
    if (ids.size <= MOST_OF_USER && this.#byId.size <= MOST) return;
    for (const oldest of ids) return this.release(oldest);
  }

  /** Frees an id. */
  release(id: string): void {
    const reservation = this.#byId.get(id);
    if (reservation === undefined) return;
    this.#byId.delete(id);
    const ids = this.#byUser.get(reservation.username);
    ids?.delete(id);
    if (ids?.size === 0) this.#byUser.delete(reservation.username);
  }

  /** Frees those whose time has passed; they are kept in about the order of their times. */
  prune(now: number): void {
    for (const [id, { until }] of this.#byId) {
      if (now < until) return;
      this.release(id);
    }
  }

  /** Frees all. */
  clear(): void {
    this.#byId.clear();
    this.#byUser.clear();
  }
}
