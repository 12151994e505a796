/** Kites that a Kontrol of the bench knows before it is asked anything. */
import type { Registration } from "../../../kontrol/storage/storage.ts";
import { formatIdentity } from "../../../src/protocol/identity.ts";
import { USER } from "../credentials.ts";

/** How many kites are in each environment; those that are left are in "rest". */
const GROUPS = { one: 1, ten: 10, hundred: 100 } as const;

const ENVIRONMENTS: readonly string[] = Object.entries(GROUPS)
  .flatMap(([name, size]) => Array<string>(size).fill(name));

/** Kites in those environments, which are put in first. */
const GROUPED = ENVIRONMENTS.length;

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

/** The registration of one of them. */
function registration(number: number, keyId: string): Registration {
  return {
    kite: {
      username: USER,
      environment: ENVIRONMENTS[number] ?? "rest",
      name: number < GROUPED ? "math" : `service-${number % NAMES}`,
      version: "1.0.0",
      region: "europe",
      hostname: `host-${number}`,
      id: crypto.randomUUID(),
    },
    url: `http://host-${number}.example:3636/kite`,
    keyId,
  };
}

/** Puts kites into a storage by `add`, such as the operation with which Kontrol registers them. */
export async function populate(
  add: (registration: Registration) => Promise<void>,
  keyId: string,
  count: number,
): Promise<void> {
  for (let start = 0; start < count; start += AT_ONCE) {
    const size = Math.min(AT_ONCE, count - start);
    await Promise.all(
      Array.from({ length: size }, (_, index) => add(registration(start + index, keyId))),
    );
  }
}

/** Adds a kite to etcd as the Go Kontrol does, by the API of version 2. */
export async function addToOldEtcd(endpoint: string, added: Registration): Promise<void> {
  const { kite, url, keyId } = added;
  const body = new URLSearchParams({ value: JSON.stringify({ url, key_id: keyId }) });
  for (const path of [formatIdentity(kite), `/${kite.id}`]) {
    const response = await fetch(`${endpoint}/v2/keys/kites${path}`, { method: "PUT", body });
    const text = await response.text();
    if (!response.ok) throw new Error(`etcd answered ${response.status}: ${text}`);
  }
}
