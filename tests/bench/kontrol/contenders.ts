/** The Kontrols that are measured against each other, each on a storage of its own. */
import type { Registration } from "../../../kontrol/storage/storage.ts";
import { PostgresStorage } from "../../../kontrol/storage/postgres.ts";
import { TestEtcd } from "../../support/etcd.ts";
import { denoProgram, freePort, type ServerProcess, startServer } from "../processes.ts";
import { addToOldEtcd, LONG_LIFE, populate } from "./population.ts";
import { postgresPlace } from "./postgres_place.ts";
import type { Setting } from "./setting.ts";

/** Our Kontrol on one of its storages, or Go's on one of its two. */
export type Contender = OurContender | "go" | "go-etcd";

type OurContender = "postgres" | "etcd" | "sqlite" | "memory";

/** Whether there is all that the contender needs. */
export function isPresent(contender: Contender, setting: Setting): boolean {
  const { postgres, hasEtcd, hasOldEtcd, goPeer } = setting;
  if (contender === "postgres") return postgres !== undefined;
  if (contender === "etcd") return hasEtcd;
  if (contender === "go") return postgres !== undefined && goPeer !== undefined;
  if (contender === "go-etcd") return hasOldEtcd && goPeer !== undefined;
  return true;
}

/** A fresh Kontrol on an empty storage, with so many kites put in. */
export async function startKontrol(
  contender: Contender,
  kites: number,
  setting: Setting,
): Promise<ServerProcess> {
  const needsEtcd = contender === "etcd" || contender === "go-etcd";
  const etcd = needsEtcd ? await TestEtcd.start() : undefined;
  try {
    const endpoint = etcd?.endpoints[0] ?? "";
    const server = contender === "go"
      ? await startGoOnPostgres(kites, setting)
      : contender === "go-etcd"
      ? await startGoOnEtcd(kites, endpoint, setting)
      : await startOurs(contender, kites, endpoint, setting);
    return {
      ...server,
      [Symbol.asyncDispose]: async () => {
        await server[Symbol.asyncDispose]();
        await etcd?.[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await etcd?.[Symbol.asyncDispose]();
    throw error;
  }
}

async function startOurs(
  contender: OurContender,
  kites: number,
  endpoint: string,
  setting: Setting,
): Promise<ServerProcess> {
  const { folder, keys } = setting;
  const port = freePort();
  const places = {
    postgres: () => newDatabase(setting),
    etcd: () => endpoint,
    sqlite: () => `${folder}/${crypto.randomUUID()}.db`,
    memory: () => "",
  };
  const place = await places[contender]();
  const program = denoProgram("kontrol/serve.ts", {
    ...{ port, place, kites, storage: contender, pairid: keys.pairId },
    ...{ public: keys.publicKey, private: keys.privateKey, kontrolkitekey: keys.kontrolKiteKey },
  });
  return await startServer(program, port);
}

async function startGoOnPostgres(kites: number, setting: Setting): Promise<ServerProcess> {
  const { keys } = setting;
  const connection = postgresPlace(await newDatabase(setting));
  {
    // Our storage knows the schema, too.
    await using storage = new PostgresStorage({ ...connection, timeToLive: LONG_LIFE });
    const [publicKey, privateKey] = await Promise.all([
      Deno.readTextFile(keys.publicKey),
      Deno.readTextFile(keys.privateKey),
    ]);
    const pair = { id: keys.pairId, public: publicKey, private: privateKey };
    const { id } = await storage.keyPairs.add(pair);
    await populate((registration) => storage.upsert(registration), id, kites);
  }
  return await startGo(kites, setting, [
    ...["-postgres-host", "127.0.0.1", "-postgres-port", `${connection.port}`],
    ...["-postgres-username", connection.username, "-postgres-dbname", connection.database],
  ]);
}

async function startGoOnEtcd(
  kites: number,
  endpoint: string,
  setting: Setting,
): Promise<ServerProcess> {
  const add = (added: Registration): Promise<void> => addToOldEtcd(endpoint, added);
  await populate(add, setting.keys.pairId, kites);
  return await startGo(kites, setting, ["-machines", endpoint]);
}

async function startGo(
  kites: number,
  { keys, goPeer = "" }: Setting,
  storage: readonly string[],
): Promise<ServerProcess> {
  const port = freePort();
  const args = [
    ...["kontrol", "-port", `${port}`, "-kitekeyfile", keys.kontrolKiteKey],
    ...["-public", keys.publicKey, "-private", keys.privateKey, "-keyid", keys.pairId],
    ...storage,
    ...(kites > 0 ? ["-ttl", `${LONG_LIFE}ms`] : []),
  ];
  const env = { PGSSLMODE: "disable" };
  return await startServer({ command: goPeer, args, env }, port);
}

async function newDatabase({ postgres }: Setting): Promise<string> {
  if (postgres === undefined) throw new Error("no PostgreSQL here");
  return `${postgres.port}/${await postgres.createDatabase()}`;
}
