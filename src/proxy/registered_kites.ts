import { KiteError } from "../protocol/errors.ts";
import type { RemoteKite } from "../rpc/remote.ts";
import type { KiteRequest } from "../rpc/request.ts";

/** What may stand in a URL as a kite's id. */
const ID = /^[\w-]{1,128}$/;

interface Entry<Value> {
  readonly client: RemoteKite;
  readonly username: string;
  readonly value: Value;
}

/** The kites that are registered at a proxy, each for as long as its connection lasts. */
export class RegisteredKites<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #limit: number;
  readonly #onForget: (id: string, value: Value) => void;

  /** @param onForget called when a kite has gone, or has registered anew */
  constructor(limit: number, onForget: (id: string, value: Value) => void) {
    this.#limit = limit;
    this.#onForget = onForget;
  }

  /** Kites that are registered. */
  get size(): number {
    return this.#entries.size;
  }

  /** What was kept for a kite. */
  get(id: string): Value | undefined {
    return this.#entries.get(id)?.value;
  }

  /** Everything that is kept. */
  values(): Value[] {
    return [...this.#entries.values()].map(({ value }) => value);
  }

  /**
   * Keeps `value` for the caller until its connection ends.
   *
   * @throws {KiteError} `argumentError` for an id that cannot stand in a URL; `notAllowed` when
   * another user's kite is registered under that id; `limitError` when there is no room
   */
  add({ kite, client }: KiteRequest, value: Value): void {
    const { id, username } = kite;
    if (!ID.test(id)) {
      throw new KiteError("argumentError", "Cannot register a kite whose id is not a UUID");
    }
    const former = this.#entries.get(id);
    if (former !== undefined && former.username !== username) {
      throw new KiteError("notAllowed", "Cannot register: another user's kite has this id");
    }
    if (former === undefined && this.#entries.size >= this.#limit) {
      throw new KiteError("limitError", `Cannot register: ${this.#limit} kites are (limit: kites)`);
    }
    const entry: Entry<Value> = { client, username, value };
    this.#entries.set(id, entry);
    if (former !== undefined) this.#onForget(id, former.value);
    const remove = client.onDisconnect(() => {
      remove();
      if (this.#entries.get(id) !== entry) return;
      this.#entries.delete(id);
      this.#onForget(id, value);
    });
  }
}
