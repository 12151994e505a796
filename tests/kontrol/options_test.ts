// The misspelt names of these tests.
// cspell:ignore polisy maxResult timeToLve hst endpoint pth
import { assertEquals, assertThrows } from "@std/assert";
import { KiteError } from "../../mod.ts";
import {
  EtcdStorage,
  Kontrol,
  type KontrolOptions,
  MemoryStorage,
  PostgresStorage,
  SqliteStorage,
} from "../../kontrol/mod.ts";
import { createTestKeys } from "../../src/testing/mod.ts";

const { kiteKey } = await createTestKeys({ kontrolUser: "kontrol" });
const KEY = await kiteKey("kontrol");

const KONTROL: readonly [Record<string, unknown>, string][] = [
  [{ polisy: "strict" }, 'Cannot use option "polisy": did you mean policy?'],
  [{ policy: { mayCal: () => false } }, 'Cannot use policy option "mayCal": did you mean mayCall?'],
  [{ policy: { scope: "own" } }, 'Cannot use policy.scope "own": must be a function'],
  [{ tokens: { timeToLve: 1 } }, 'Cannot use tokens option "timeToLve": did you mean timeToLive?'],
  [{ maxResults: NaN }, "Cannot use maxResults NaN: must be a number of at least 1"],
  [{ keyPairsTimeToLive: -1 }, "Cannot use keyPairsTimeToLive -1: must be a number of milli"],
  [{ machineAuthenticate: true }, "Cannot use machineAuthenticate true: must be a function"],
  [{ kontrolUrl: "nowhere" }, 'Cannot use kontrolUrl "nowhere": must be a URL such as'],
  [{ storage: undefined }, "Cannot use storage: must be given"],
  [{ kiteKey: undefined }, "Cannot use kiteKey: must be given"],
];

for (const [options, message] of KONTROL) {
  Deno.test(`Kontrol refuses ${Object.keys(options)[0]}: ${message}`, () => {
    const given = { storage: new MemoryStorage(), kiteKey: KEY, ...options };
    const { type, message: refusal } = assertThrows(
      () => new Kontrol(given as unknown as KontrolOptions),
      KiteError,
    );
    assertEquals([type, refusal.slice(0, message.length)], ["configError", message]);
  });
}

Deno.test("Kontrol: a policy may be an instance of a class with fields of its own", () => {
  class Own {
    readonly users = new Set(["ada"]);
    mayCall({ username }: { readonly username: string }): boolean {
      return this.users.has(username);
    }
  }
  new Kontrol({ storage: new MemoryStorage(), kiteKey: KEY, policy: new Own() });
});

const connection = { username: "kontrol", database: "kontrol" };
const STORAGES: readonly [string, (options: never) => unknown, unknown, string][] = [
  ["MemoryStorage", (options) => new MemoryStorage(options), { path: "a" }, 'option "path"'],
  ["MemoryStorage", (options) => new MemoryStorage(options), { timeToLive: 0 }, "timeToLive 0"],
  ["SqliteStorage", (options) => new SqliteStorage(options), { pth: "a" }, 'option "pth"'],
  [
    "SqliteStorage",
    (options) => new SqliteStorage(options),
    undefined,
    "options of type undefined",
  ],
  ["SqliteStorage", (options) => new SqliteStorage(options), {}, "path"],
  ["PostgresStorage", (options) => new PostgresStorage(options), { hst: "a" }, 'option "hst"'],
  [
    "PostgresStorage",
    (options) => new PostgresStorage(options),
    { ...connection, port: "5432" },
    'port "5432"',
  ],
  ["EtcdStorage", (options) => new EtcdStorage(options), { endpoint: "a" }, 'option "endpoint"'],
  [
    "EtcdStorage",
    (options) => new EtcdStorage(options),
    { endpoints: "http://127.0.0.1:2379" },
    'endpoints "http://127.0.0.1:2379"',
  ],
];

for (const [name, make, options, refused] of STORAGES) {
  Deno.test(`${name} refuses ${refused}`, () => {
    const { type, message } = assertThrows(() => make(options as never), KiteError);
    const beginning = `Cannot use ${refused}`;
    assertEquals([type, message.slice(0, beginning.length)], ["configError", beginning]);
  });
}
