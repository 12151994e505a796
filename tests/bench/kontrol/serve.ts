/**
 * Our Kontrol: `--port --storage=memory|sqlite|etcd|postgres --place --kites (put in beforehand)`
 * and the files of {@linkcode KeyFiles}, `--pairid --public --private --kontrolkitekey`. `--place` is
 * the database's file, etcd's URL, or `PORT/DATABASE` of PostgreSQL.
 *
 * @module
 */
import { Kontrol } from "../../../kontrol/kontrol.ts";
import { EtcdStorage } from "../../../kontrol/storage/etcd.ts";
import { MemoryStorage } from "../../../kontrol/storage/memory.ts";
import { PostgresStorage } from "../../../kontrol/storage/postgres.ts";
import { SqliteStorage } from "../../../kontrol/storage/sqlite.ts";
import type { Storage } from "../../../kontrol/storage/storage.ts";
import { preparePeer } from "../peer.ts";
import { LONG_LIFE, populate } from "./population.ts";
import { postgresPlace } from "./postgres_place.ts";

const { options, port } = preparePeer();
const kites = options.number("kites");

function openStorage(): Storage {
  const place = options.text("place");
  // With nobody put in beforehand it is as a Kontrol has it by default.
  const common = kites > 0 ? { timeToLive: LONG_LIFE } : {};
  switch (options.text("storage")) {
    case "memory":
      return new MemoryStorage(common);
    case "sqlite":
      return new SqliteStorage({ path: place, ...common });
    case "etcd":
      return new EtcdStorage({ endpoints: [place], ...common });
    case "postgres":
      return new PostgresStorage({ ...postgresPlace(place), ...common });
    default:
      throw new Error(`--storage is "${options.text("storage")}", no kind of storage`);
  }
}

const file = (name: string): string => Deno.readTextFileSync(options.text(name));
const storage = openStorage();
const pair = await storage.keyPairs.add({
  id: options.text("pairid"),
  public: file("public"),
  private: file("private"),
});
await populate((registration) => storage.upsert(registration), pair.id, kites);
const kontrol = new Kontrol({
  storage,
  kiteKey: file("kontrolkitekey"),
  kontrolUrl: `http://127.0.0.1:${port}/kite`,
  // All kites of the bench have one address.
  kite: { ip: "127.0.0.1", port, logLevel: "ERROR", limits: { sessionsPerAddress: 20_000 } },
});
await kontrol.listen();
