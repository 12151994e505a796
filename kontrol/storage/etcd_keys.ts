import { formatIdentity, IDENTITY_FIELDS, type KiteIdentity } from "../../src/protocol/identity.ts";
import type { EtcdEntry } from "./etcd_member.ts";
import type { Matcher } from "./matcher.ts";
import type { Registration } from "./storage.ts";

/** Where a query finds what it asks for. */
export interface EtcdPlace {
  /** Everything under this prefix may match. */
  readonly prefix: string;
  /** True if all of it does. */
  readonly isExact: boolean;
}

/** The orders in which a kite's path is filed, beside the usual one; the first field names the file. */
const ORDERS: readonly (readonly (keyof KiteIdentity)[])[] = [
  ["name", "username", "environment", "version", "region", "hostname", "id"],
  ["environment", "name", "username", "version", "region", "hostname", "id"],
  ["version", "name", "username", "environment", "region", "hostname", "id"],
  ["region", "name", "username", "environment", "version", "hostname", "id"],
  ["hostname", "name", "username", "environment", "version", "region", "id"],
];

/**
 * The keys of registrations: `/kites/<seven fields>` and `/kites/<id>`, as the Go Kontrol lays them
 * out, and `/kites.index/<field>/…` for queries with gaps, in which another field comes first.
 */
export class EtcdKeys {
  /** What the paths of all kites begin with. */
  readonly kites: string;
  readonly #index: string;

  /** @param prefix "/kites" */
  constructor(prefix: string) {
    this.kites = `${prefix}/`;
    this.#index = `${prefix}.index/`;
  }

  /** The key by which an id is found. */
  id(id: string): string {
    return `${this.kites}${id}`;
  }

  /** Every key of a kite but that of its id. */
  paths(kite: KiteIdentity): string[] {
    const file = (order: readonly (keyof KiteIdentity)[]): string => {
      return `${this.#index}${order[0]}/${order.map((field) => kite[field]).join("/")}`;
    };
    return [this.kites.slice(0, -1) + formatIdentity(kite), ...ORDERS.map(file)];
  }

  /** The kite of a key that {@linkcode EtcdKeys.paths} gave, or undefined. */
  kiteOf(key: string): KiteIdentity | undefined {
    if (key.startsWith(this.kites)) return readPath(key.slice(this.kites.length), IDENTITY_FIELDS);
    if (!key.startsWith(this.#index)) return undefined;
    const rest = key.slice(this.#index.length);
    const order = ORDERS.find(([first]) => rest.startsWith(`${first}/`));
    return order && readPath(rest.slice(rest.indexOf("/") + 1), order);
  }

  /** Where the keys of one environment after the other are. */
  get environments(): string {
    return `${this.#index}environment/`;
  }

  /** The smallest place that holds all that match; not for a query with an id. */
  place({ equal, fitsVersion }: Matcher): EtcdPlace {
    const wanted = Object.keys(equal).length;
    // Beside the paths there are ids under the usual prefix: for everything, another file is read.
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

  /** The value under a kite's paths; Go's has the same two fields. */
  pathValue({ url, keyId }: Registration): string {
    return JSON.stringify({ url, key_id: keyId });
  }

  /** The value under a kite's id, which leads to the kite. */
  idValue({ kite, url, keyId }: Registration): string {
    return JSON.stringify({ url, key_id: keyId, kite: formatIdentity(kite) });
  }

  /** The registration of a key and its value; undefined for what is none of ours. */
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
