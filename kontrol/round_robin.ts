/** A first-in, first-out queue. */
class Fifo<Item> {
  #items: Item[] = [];
  #next = 0;

  get size(): number {
    return this.#items.length - this.#next;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  take(): Item {
    const item = this.#items[this.#next++]!;
    // Removed in bulk, since Array.shift takes time proportional to the length.
    if (this.#next >= 256 && this.#next * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#next);
      this.#next = 0;
    }
    return item;
  }
}

/** A queue that takes one item of each user in turn. The items of one user stay in order. */
export class RoundRobin<Item> {
  /** The users with items; the first one is next. */
  readonly #byUser = new Map<string, Fifo<Item>>();
  #size = 0;

  /** The number of items in the queue. */
  get size(): number {
    return this.#size;
  }

  /** True if the user has an item in the queue. */
  has(user: string): boolean {
    return this.#byUser.has(user);
  }

  /** Adds an item after the user's other items. */
  push(user: string, item: Item): void {
    let items = this.#byUser.get(user);
    if (items === undefined) this.#byUser.set(user, items = new Fifo());
    items.push(item);
    this.#size++;
  }

  /** Takes the next item, and moves its user to the end. */
  take(): Item | undefined {
    const next = this.#byUser.entries().next();
    if (next.done) return undefined;
    const [user, items] = next.value;
    const item = items.take();
    this.#size--;
    this.#byUser.delete(user);
    if (items.size > 0) this.#byUser.set(user, items);
    return item;
  }
}
