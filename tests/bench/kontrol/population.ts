/** Kites that a Kontrol of the bench knows before it is asked anything. */
import type { Storage } from "../../../kontrol/storage/storage.ts";
import { USER } from "../credentials.ts";

/** How many kites are in each environment; those that are left are in "rest". */
const GROUPS = { one: 1, ten: 10, hundred: 100 } as const;

/** Kites in those environments, which are put in first. */
const GROUPED = 111;

/** Names that those in "rest" have by turns. */
const NAMES = 16;

/** Registrations that are put in at the same time. */
const AT_ONCE = 64;

/** Milliseconds that they live: longer than any measurement, as nobody refreshes them. */
export const LONG_LIFE = 3_600_000;

/** The query that so many of them match, when there are 1,000. */
export function queryFor(results: number): Readonly<Record<string, string>> {
  if (results === 1_000) return { username: USER };
  const group = Object.entries(GROUPS).find(([, size]) => size === results);
  if (group === undefined) throw new RangeError(`no query has ${results} results`);
  return { username: USER, environment: group[0], name: "math" };
}

/** Queries that match one kite each, every one of another name, when there are 1,000. */
export function singleQueries(): Readonly<Record<string, string>>[] {
  return Array.from({ length: NAMES }, (_, index) => ({
    username: USER,
    environment: "rest",
    hostname: `host-${GROUPED + index}`,
  }));
}

/** Puts kites into a storage, by the operation with which Kontrol registers them. */
export async function populate(storage: Storage, keyId: string, count: number): Promise<void> {
  const environments = Object.entries(GROUPS).flatMap(([name, size]) => Array(size).fill(name));
  for (let start = 0; start < count; start += AT_ONCE) {
    const size = Math.min(AT_ONCE, count - start);
    await Promise.all(Array.from({ length: size }, (_, index) => {
      const number = start + index;
      return storage.upsert({
        kite: {
          username: USER,
          environment: environments[number] ?? "rest",
          name: number < GROUPED ? "math" : `service-${number % NAMES}`,
          version: "1.0.0",
          region: "europe",
          hostname: `host-${number}`,
          id: crypto.randomUUID(),
        },
        url: `http://host-${number}.example:3636/kite`,
        keyId,
      });
    }));
  }
}
