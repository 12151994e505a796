/**
 * Uses a storage and disposes of it. The arguments are its kind and its options as JSON. Prints
 * `disposed`, after which it must end.
 *
 * @module
 */
import {
  EtcdStorage,
  type EtcdStorageOptions,
  MemoryStorage,
  PostgresStorage,
  type PostgresStorageOptions,
  SqliteStorage,
  type SqliteStorageOptions,
  type Storage,
} from "../../../kontrol/mod.ts";
import { PAIR, registration } from "./fixture.ts";

const OPEN: Record<Storage["kind"], (options: unknown) => Storage> = {
  memory: () => new MemoryStorage(),
  sqlite: (options) => new SqliteStorage(options as SqliteStorageOptions),
  etcd: (options) => new EtcdStorage(options as EtcdStorageOptions),
  postgres: (options) => new PostgresStorage(options as PostgresStorageOptions),
};

const [kind, options = "{}"] = Deno.args as [Storage["kind"], string?];
const storage = OPEN[kind](JSON.parse(options));
await storage.keyPairs.add(PAIR);
await storage.upsert(registration());
storage.onLoss(() => {});
for (let i = 0; i < 20; i++) {
  (await storage.watch({ name: "math" }, () => {})).stop();
  await storage.get({ name: "math" });
}
await storage.watch({ name: "math" }, () => {});
// A watch that is starting when the storage is disposed of.
const late = storage.watch({ name: "late" }, () => {}).catch(() => {});
await storage[Symbol.asyncDispose]();
await late;
console.log("disposed");
