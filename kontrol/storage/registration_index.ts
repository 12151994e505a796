import type { KiteIdentity } from "../../src/protocol/identity.ts";
import type { Matcher } from "./matcher.ts";
import type { Registration } from "./storage.ts";

const NOTHING: ReadonlySet<never> = new Set();

/**
 * Registrations in memory, indexed for queries by any combination of fields. Each registration is in
 * a group for every combination of username, environment and name, and in one each for its version,
 * region and hostname. A query scans the smallest group that contains all its results. A version
 * constraint is checked once per distinct version.
 */
export class RegistrationIndex<Entry extends Registration> {
  readonly #byId = new Map<string, Entry>();
  readonly #groups = new Map<string, Set<Entry>>();
  /** The number of entries of each version. */
  readonly #versions = new Map<string, number>();

  /** The number of entries. */
  get size(): number {
    return this.#byId.size;
  }

  /** The entry with an ID. */
  get(id: string): Entry | undefined {
    return this.#byId.get(id);
  }

  /** All entries, in the order of {@linkcode RegistrationIndex.put}. */
  values(): MapIterator<Entry> {
    return this.#byId.values();
  }

  /** Adds an entry, or replaces the one with its ID. */
  put(entry: Entry): void {
    this.remove(entry.kite.id);
    this.#byId.set(entry.kite.id, entry);
    const { version } = entry.kite;
    this.#versions.set(version, (this.#versions.get(version) ?? 0) + 1);
    for (const name of groupNames(entry.kite)) {
      const group = this.#groups.get(name);
      if (group === undefined) this.#groups.set(name, new Set([entry]));
      else group.add(entry);
    }
  }

  /** Moves an entry to the end of {@linkcode RegistrationIndex.values}. */
  moveToEnd(entry: Entry): void {
    this.#byId.delete(entry.kite.id);
    this.#byId.set(entry.kite.id, entry);
  }

  /** Removes and returns the entry with an ID. */
  remove(id: string): Entry | undefined {
    const entry = this.#byId.get(id);
    if (entry === undefined) return undefined;
    this.#byId.delete(id);
    const { version } = entry.kite;
    const left = (this.#versions.get(version) ?? 1) - 1;
    if (left > 0) this.#versions.set(version, left);
    else this.#versions.delete(version);
    for (const name of groupNames(entry.kite)) {
      const group = this.#groups.get(name);
      group?.delete(entry);
      if (group?.size === 0) this.#groups.delete(name);
    }
    return entry;
  }

  /** Removes all entries. */
  clear(): void {
    this.#byId.clear();
    this.#groups.clear();
    this.#versions.clear();
  }

  /** At most `limit` entries that match and are live. */
  find(matcher: Matcher, limit: number, isLive: (entry: Entry) => boolean = always): Entry[] {
    const found: Entry[] = [];
    if (limit <= 0) return found;
    for (const entry of this.#candidates(matcher)) {
      if (!isLive(entry) || !matcher.accepts(entry.kite)) continue;
      found.push(entry);
      if (found.length >= limit) break;
    }
    return found;
  }

  /** The number of live entries of each environment. */
  countByEnvironment(isLive: (entry: Entry) => boolean = always): Map<string, number> {
    const counts = new Map<string, number>();
    for (const entry of this.#byId.values()) {
      if (!isLive(entry)) continue;
      const { kite } = entry;
      counts.set(kite.environment, (counts.get(kite.environment) ?? 0) + 1);
    }
    return counts;
  }

  #candidates({ equal, fitsVersion }: Matcher): Iterable<Entry> {
    if (equal.id !== undefined) {
      const entry = this.#byId.get(equal.id);
      return entry === undefined ? NOTHING : [entry];
    }
    let smallest: ReadonlySet<Entry> | undefined;
    const consider = (name: string): void => {
      const group: ReadonlySet<Entry> = this.#groups.get(name) ?? NOTHING;
      if (smallest === undefined || group.size < smallest.size) smallest = group;
    };
    const { username = "", environment = "", name = "" } = equal;
    if (username !== "" || environment !== "" || name !== "") {
      consider(combined(username, environment, name));
    }
    if (equal.version !== undefined) consider(single("version", equal.version));
    if (equal.region !== undefined) consider(single("region", equal.region));
    if (equal.hostname !== undefined) consider(single("hostname", equal.hostname));
    const count = smallest?.size ?? this.size;
    if (fitsVersion !== undefined && this.#versions.size < count) {
      const versions = [...this.#versions].filter(([version]) => fitsVersion(version));
      const fitting = versions.reduce((sum, [, entries]) => sum + entries, 0);
      if (fitting < count) return this.#ofVersions(versions.map(([version]) => version));
    }
    return smallest ?? this.#byId.values();
  }

  *#ofVersions(versions: readonly string[]): Generator<Entry> {
    for (const version of versions) yield* this.#groups.get(single("version", version)) ?? NOTHING;
  }
}

// Fields contain no "/", so the number of slashes tells combined names from single ones.
function combined(username: string, environment: string, name: string): string {
  return `${username}/${environment}/${name}`;
}

function single(field: string, value: string): string {
  return `${field}/${value}`;
}

function groupNames(kite: KiteIdentity): string[] {
  const { username, environment, name } = kite;
  return [
    combined(username, environment, name),
    combined(username, environment, ""),
    combined(username, "", name),
    combined(username, "", ""),
    combined("", environment, name),
    combined("", environment, ""),
    combined("", "", name),
    single("version", kite.version),
    single("region", kite.region),
    single("hostname", kite.hostname),
  ];
}

function always(): boolean {
  return true;
}
