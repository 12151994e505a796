/** The Kontrols that are measured against each other, each on a storage of its own. */
import { PostgresStorage } from "../../../kontrol/storage/postgres.ts";
import { TestEtcd } from "../../support/etcd.ts";
import { denoProgram, freePort, type ServerProcess, startServer } from "../processes.ts";
import { LONG_LIFE, populate } from "./population.ts";
import { postgresPlace } from "./postgres_place.ts";
import type { Setting } from "./setting.ts";

/** Our Kontrol on one of its storages, or Go's on PostgreSQL. */
export type Contender = "postgres" | "etcd" | "sqlite" | "memory" | "go";

/** Whether there is all that the contender needs. */
export function isPresent(contender: Contender, setting: Setting): boolean {
  const { postgres, hasEtcd, goPeer } = setting;
  if (contender === "postgres") return postgres !== undefined;
  if (contender === "go") return postgres !== undefined && goPeer !== undefined;
  return contender !== "etcd" || hasEtcd;
}

/** A fresh Kontrol on an empty storage, with so many kites put in. */
export async function startKontrol(
  contender: Contender,
  kites: number,
  setting: Setting,
): Promise<ServerProcess> {
  if (contender === "go") return await startGo(kites, setting);
  const etcd = contender === "etcd" ? await TestEtcd.start() : undefined;
  try {
    const server = await startOurs(contender, kites, etcd?.endpoints[0], setting);
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
  contender: Exclude<Contender, "go">,
  kites: number,
  endpoint: string | undefined,
  setting: Setting,
): Promise<ServerProcess> {
  const { folder, keys } = setting;
  const port = freePort();
  const place = contender === "postgres"
    ? await newDatabase(setting)
    : endpoint ?? `${folder}/${crypto.randomUUID()}.db`;
  const program = denoProgram("kontrol/serve.ts", {
    ...{ port, place, kites, storage: contender, pairid: keys.pairId },
    ...{ public: keys.publicKey, private: keys.privateKey, kontrolkitekey: keys.kontrolKiteKey },
  });
  return await startServer(program, port);
}

async function startGo(kites: number, setting: Setting): Promise<ServerProcess> {
  const { keys, goPeer = "" } = setting;
  const port = freePort();
  const place = await newDatabase(setting);
  const connection = postgresPlace(place);
  {
    // Our storage knows the schema, too.
    await using storage = new PostgresStorage({ ...connection, timeToLive: LONG_LIFE });
    const [publicKey, privateKey] = await Promise.all([
      Deno.readTextFile(keys.publicKey),
      Deno.readTextFile(keys.privateKey),
    ]);
    const pair = { id: keys.pairId, public: publicKey, private: privateKey };
    const { id } = await storage.keyPairs.add(pair);
    await populate(storage, id, kites);
  }
  const args = [
    ...["kontrol", "-port", `${port}`, "-kitekeyfile", keys.kontrolKiteKey],
    ...["-public", keys.publicKey, "-private", keys.privateKey, "-keyid", keys.pairId],
    ...["-postgres-host", "127.0.0.1", "-postgres-port", `${connection.port}`],
    ...["-postgres-username", connection.username, "-postgres-dbname", connection.database],
    ...(kites > 0 ? ["-ttl", `${LONG_LIFE}ms`] : []),
  ];
  const env = { PGSSLMODE: "disable" };
  return await startServer({ command: goPeer, args, env }, port);
}

async function newDatabase({ postgres }: Setting): Promise<string> {
  if (postgres === undefined) throw new Error("no PostgreSQL here");
  return `${postgres.port}/${await postgres.createDatabase()}`;
}
