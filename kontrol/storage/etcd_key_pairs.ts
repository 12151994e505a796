import { isUuid } from "../../src/protocol/identity.ts";
import { canonicalId, checkKeyPair, checkKnownPair, isStorable } from "./check.ts";
import { endOf, type EtcdClient } from "./etcd_client.ts";
import type { EtcdEntry } from "./etcd_member.ts";
import { storageError } from "./failure.ts";
import type { KeyPair, KeyPairs, OperationOptions, StoredKeyPair } from "./storage.ts";

/** Attempts at a transaction that conflicts with changes of others. */
const ATTEMPTS = 10;

/**
 * The key pairs in etcd. `/kites.keys/id/<id>` holds a pair; `/kites.keys/public/<hash>` and
 * `/kites.keys/private/<hash>` hold the ID of the pair with that key.
 */
export class EtcdKeyPairs implements KeyPairs {
  readonly #client: EtcdClient;
  readonly #prefix: string;

  /** @param prefix the prefix of all keys, such as `/kites` */
  constructor(client: EtcdClient, prefix: string) {
    this.#client = client;
    this.#prefix = `${prefix}.keys/`;
  }

  async add(pair: KeyPair, options?: OperationOptions): Promise<StoredKeyPair> {
    const checked = checkKeyPair(pair);
    const stored: StoredKeyPair = { ...checked, createdAt: Date.now() };
    const keys = {
      public: await this.#publicKey(checked.public),
      private: `${this.#prefix}private/${await hash(checked.private)}`,
      id: this.#idKey(checked.id),
    };
    const answer = await this.#client.run(
      "add a key pair",
      options,
      (member, call) =>
        member.transact({
          conditions: Object.values(keys).map((key) => ({ key, createdAt: "0" })),
          steps: [
            { put: keys.public, value: checked.id },
            { put: keys.private, value: checked.id },
            { put: keys.id, value: JSON.stringify(stored) },
          ],
        }, call),
    );
    if (answer.succeeded) return stored;
    return checkKnownPair(checked, await this.byPublic(checked.public, options));
  }

  async softDelete(id: string, options?: OperationOptions): Promise<boolean> {
    const what = "delete a key pair";
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const entry = await this.#read(what, this.#idKey(canonicalId(id)), options);
      if (entry === undefined) return false;
      const pair = toKeyPair(entry);
      if (pair.deletedAt !== undefined) return false;
      const value = JSON.stringify({ ...pair, deletedAt: Date.now() });
      const answer = await this.#client.run(what, options, (member, call) =>
        member.transact({
          conditions: [{ key: entry.key, changedAt: entry.revision }],
          steps: [{ put: entry.key, value }],
        }, call));
      if (answer.succeeded) return true;
    }
    throw storageError(
      "etcd",
      "failed",
      what,
      `others changed it during all ${ATTEMPTS} attempts`,
    );
  }

  async list(options?: OperationOptions): Promise<StoredKeyPair[]> {
    const prefix = this.#idKey("");
    const request = { key: prefix, end: endOf(prefix), newestFirst: true };
    const { entries } = await this.#client.run(
      "list the key pairs",
      options,
      (member, call) => member.range(request, call),
    );
    return entries.map(toKeyPair);
  }

  async byId(id: string, options?: OperationOptions): Promise<StoredKeyPair | undefined> {
    if (!isUuid(id)) return undefined;
    const entry = await this.#read("find a key pair", this.#idKey(canonicalId(id)), options);
    return entry && toKeyPair(entry);
  }

  async byPublic(
    publicKey: string,
    options?: OperationOptions,
  ): Promise<StoredKeyPair | undefined> {
    if (!isStorable(publicKey)) return undefined;
    const key = await this.#publicKey(publicKey.trim());
    const entry = await this.#read("find a key pair", key, options);
    return entry && await this.byId(entry.value, options);
  }

  async #read(
    what: string,
    key: string,
    options: OperationOptions | undefined,
  ): Promise<EtcdEntry | undefined> {
    return (await this.#client.range(what, { key }, options)).entries[0];
  }

  #idKey(id: string): string {
    return `${this.#prefix}id/${id}`;
  }

  async #publicKey(publicKey: string): Promise<string> {
    return `${this.#prefix}public/${await hash(publicKey)}`;
  }
}

function toKeyPair({ value }: EtcdEntry): StoredKeyPair {
  return JSON.parse(value);
}

async function hash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
