import { KiteError } from "../protocol/errors.ts";
import type { KiteRequest } from "../rpc/request.ts";

/** Kite ids that need no escaping in a URL. */
const ID = /^[\w-]{1,128}$/;

interface Entry<Value> {
  readonly username: string;
  readonly value: Value;
  /** Stops waiting for the end of the connection. */
  readonly release: () => void;
}

/** The kites registered at a proxy. Each is removed when its connection ends. */
export class RegisteredKites<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #limit: number;
  readonly #onForget: (id: string, value: Value) => void;

  /** @param onForget called when a kite was removed, or registered again */
  constructor(limit: number, onForget: (id: string, value: Value) => void) {
    this.#limit = limit;
    this.#onForget = onForget;
  }

  /** The number of registered kites. */
  get size(): number {
    return this.#entries.size;
  }

  /** Returns the value stored for a kite. */
  get(id: string): Value | undefined {
    return this.#entries.get(id)?.value;
  }

  /** Returns all stored values. */
  values(): Value[] {
    return [...this.#entries.values()].map(({ value }) => value);
  }

  /**
   * Stores `value` for the caller until its connection ends.
   *
   * @throws {KiteError} `argumentError` for an id that needs escaping in a URL; `notAllowed` if
   * another user's kite is registered under that id; `limitError` if too many kites are registered
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
      throw new KiteError(
        "limitError",
        `Cannot register: ${this.#limit} kites are registered already (limit: kites)`,
      );
    }
    const release = client.onDisconnect(() => {
      release();
      this.#entries.delete(id);
      this.#onForget(id, value);
    });
    this.#entries.set(id, { username, value, release });
    if (former === undefined) return;
    former.release();
    this.#onForget(id, former.value);
  }
}
