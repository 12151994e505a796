/** Items in the order in which they came. */
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
    // Taken items are dropped in bulk: shifting an array on each take costs its whole length.
    if (this.#next >= 256 && this.#next * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#next);
      this.#next = 0;
    }
    return item;
  }
}

/** A queue that serves its users in turn, and the items of each user in order. */
export class RoundRobin<Item> {
  /** The first entry is the user whose turn is next; users without items are not in it. */
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

  /** Adds an item behind the others of that user. */
  push(user: string, item: Item): void {
    let items = this.#byUser.get(user);
    if (items === undefined) this.#byUser.set(user, items = new Fifo());
    items.push(item);
    this.#size++;
  }

  /** Takes the next item, and moves its user to the end of the line. */
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
