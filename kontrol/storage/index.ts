import type { KiteIdentity } from "../../src/protocol/identity.ts";
import type { Matcher } from "./matcher.ts";
import type { Registration } from "./storage.ts";

const NOTHING: ReadonlySet<never> = new Set();

/**
 * Registrations in memory, found by any mix of fields. A registration is filed under every mix of
 * username, environment and name, and under its version, region and hostname; a query looks through
 * the smallest file that holds all it asks for. A constraint is held against each version once.
 */
export class RegistrationIndex<Entry extends Registration> {
  readonly #byId = new Map<string, Entry>();
  readonly #files = new Map<string, Set<Entry>>();
  /** How many entries have each version. */
  readonly #versions = new Map<string, number>();

  /** How many there are. */
  get size(): number {
    return this.#byId.size;
  }

  /** The one with that id. */
  get(id: string): Entry | undefined {
    return this.#byId.get(id);
  }

  /** All of them, in the order of {@linkcode RegistrationIndex.put}. */
  values(): MapIterator<Entry> {
    return this.#byId.values();
  }

  /** Adds an entry, or replaces the one with its id. */
  put(entry: Entry): void {
    this.remove(entry.kite.id);
    this.#byId.set(entry.kite.id, entry);
    const { version } = entry.kite;
    this.#versions.set(version, (this.#versions.get(version) ?? 0) + 1);
    for (const name of fileNames(entry.kite)) {
      const file = this.#files.get(name);
      if (file === undefined) this.#files.set(name, new Set([entry]));
      else file.add(entry);
    }
  }

  /** Makes the entry with that id the last one of {@linkcode RegistrationIndex.values}. */
  moveToEnd(entry: Entry): void {
    this.#byId.delete(entry.kite.id);
    this.#byId.set(entry.kite.id, entry);
  }

  /** Takes the entry with that id out and gives it. */
  remove(id: string): Entry | undefined {
    const entry = this.#byId.get(id);
    if (entry === undefined) return undefined;
    this.#byId.delete(id);
    const { version } = entry.kite;
    const left = (this.#versions.get(version) ?? 1) - 1;
    if (left > 0) this.#versions.set(version, left);
    else this.#versions.delete(version);
    for (const name of fileNames(entry.kite)) {
      const file = this.#files.get(name);
      file?.delete(entry);
      if (file?.size === 0) this.#files.delete(name);
    }
    return entry;
  }

  /** Takes everything out. */
  clear(): void {
    this.#byId.clear();
    this.#files.clear();
    this.#versions.clear();
  }

  /** Those that match and that `isLive` lets pass, at most `limit`. */
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

  /** How many each environment has. */
  countByEnvironment(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { kite } of this.#byId.values()) {
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
      const file: ReadonlySet<Entry> = this.#files.get(name) ?? NOTHING;
      if (smallest === undefined || file.size < smallest.size) smallest = file;
    };
    const { username = "", environment = "", name = "" } = equal;
    if (username !== "" || environment !== "" || name !== "") {
      consider(mixed(username, environment, name));
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
    for (const version of versions) yield* this.#files.get(single("version", version)) ?? NOTHING;
  }
}

// No field holds a "/": two of them tell a mix from a single field.
function mixed(username: string, environment: string, name: string): string {
  return `${username}/${environment}/${name}`;
}

function single(field: string, value: string): string {
  return `${field}/${value}`;
}

function fileNames(kite: KiteIdentity): string[] {
  const { username, environment, name } = kite;
  return [
    mixed(username, environment, name),
    mixed(username, environment, ""),
    mixed(username, "", name),
    mixed(username, "", ""),
    mixed("", environment, name),
    mixed("", environment, ""),
    mixed("", "", name),
    single("version", kite.version),
    single("region", kite.region),
    single("hostname", kite.hostname),
  ];
}

function always(): boolean {
  return true;
}
