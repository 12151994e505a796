import { formatIdentity, IDENTITY_FIELDS, type KiteIdentity } from "../../src/protocol/identity.ts";
import type { EtcdEntry } from "./etcd_member.ts";
import type { Matcher } from "./matcher.ts";
import type { Registration } from "./storage.ts";

/** The keys to read for a query. */
export interface SearchPrefix {
  /** All matching kites have keys with this prefix. */
  readonly prefix: string;
  /** True if all keys with the prefix match. */
  readonly isExact: boolean;
}

/** The field orders of the index keys; the first field is also the name of the index. */
const ORDERS: readonly (readonly (keyof KiteIdentity)[])[] = [
  ["name", "username", "environment", "version", "region", "hostname", "id"],
  ["environment", "name", "username", "version", "region", "hostname", "id"],
  ["version", "name", "username", "environment", "region", "hostname", "id"],
  ["region", "name", "username", "environment", "version", "hostname", "id"],
  ["hostname", "name", "username", "environment", "version", "region", "id"],
];

/**
 * The keys of registrations: `/kites/<seven fields>` and `/kites/<id>`, as in the Go Kontrol, and
 * `/kites.index/<field>/…`, with the fields in another order, for queries that leave fields out.
 */
export class EtcdKeys {
  /** The prefix of all keys that the Go Kontrol also uses. */
  readonly kites: string;
  readonly #index: string;

  /** @param prefix the prefix of all keys, such as `/kites` */
  constructor(prefix: string) {
    this.kites = `${prefix}/`;
    this.#index = `${prefix}.index/`;
  }

  /** The key of an ID. */
  id(id: string): string {
    return `${this.kites}${id}`;
  }

  /** All keys of a kite except {@linkcode EtcdKeys.id}. */
  paths(kite: KiteIdentity): string[] {
    const indexKey = (order: readonly (keyof KiteIdentity)[]): string => {
      return `${this.#index}${order[0]}/${order.map((field) => kite[field]).join("/")}`;
    };
    return [this.kites.slice(0, -1) + formatIdentity(kite), ...ORDERS.map(indexKey)];
  }

  /** The kite of a key from {@linkcode EtcdKeys.paths}; undefined for any other key. */
  kiteOf(key: string): KiteIdentity | undefined {
    if (key.startsWith(this.kites)) return readPath(key.slice(this.kites.length), IDENTITY_FIELDS);
    if (!key.startsWith(this.#index)) return undefined;
    const rest = key.slice(this.#index.length);
    const order = ORDERS.find(([first]) => rest.startsWith(`${first}/`));
    return order && readPath(rest.slice(rest.indexOf("/") + 1), order);
  }

  /** The prefix of the index by environment, which holds each kite once. */
  get environments(): string {
    return `${this.#index}environment/`;
  }

  /** The longest prefix for a query without an ID. */
  searchPrefix({ equal, fitsVersion }: Matcher): SearchPrefix {
    const wanted = Object.keys(equal).length;
    // The main prefix also contains the ID keys, so a full scan reads an index instead.
    let best = { prefix: this.environments, depth: 0 };
    const consider = (start: string, order: readonly (keyof KiteIdentity)[]): void => {
      let prefix = start;
      let depth = 0;
      for (const field of order) {
        const value = equal[field];
        if (value === undefined) break;
        prefix += `${value}/`;
        depth++;
      }
      if (depth > best.depth) best = { prefix, depth };
    };
    consider(this.kites, IDENTITY_FIELDS);
    for (const order of ORDERS) consider(`${this.#index}${order[0]}/`, order);
    return { prefix: best.prefix, isExact: best.depth === wanted && fitsVersion === undefined };
  }

  /** The value of a kite's paths, with the same two fields as in the Go Kontrol. */
  pathValue({ url, keyId }: Registration): string {
    return JSON.stringify({ url, key_id: keyId });
  }

  /** The value of a kite's ID key, which also holds the kite's path. */
  idValue({ kite, url, keyId }: Registration): string {
    return JSON.stringify({ url, key_id: keyId, kite: formatIdentity(kite) });
  }

  /** The registration of an entry; undefined if it is not one of Kontrol's. */
  registrationOf({ key, value }: EtcdEntry): Registration | undefined {
    const fields = readValue(value);
    if (fields === undefined) return undefined;
    const { url, key_id: keyId, kite: path = "" } = fields;
    const kite = this.kiteOf(key) ?? readPath(path.slice(1), IDENTITY_FIELDS);
    return kite && { kite, url, keyId };
  }
}

function readPath(
  path: string,
  order: readonly (keyof KiteIdentity)[],
): KiteIdentity | undefined {
  const values = path.split("/");
  if (values.length !== order.length || values.includes("")) return undefined;
  const value = (field: keyof KiteIdentity): string => values[order.indexOf(field)] ?? "";
  return {
    username: value("username"),
    environment: value("environment"),
    name: value("name"),
    version: value("version"),
    region: value("region"),
    hostname: value("hostname"),
    id: value("id"),
  };
}

function readValue(text: string): { url: string; key_id: string; kite?: string } | undefined {
  try {
    const { url, key_id, kite } = JSON.parse(text);
    if (typeof url !== "string" || typeof key_id !== "string") return undefined;
    return typeof kite === "string" ? { url, key_id, kite } : { url, key_id };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
