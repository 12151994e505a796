import { checkPem } from "../../src/config_values.ts";
import { cannotUse } from "../../src/protocol/refusal.ts";
import { readTextFile } from "../../src/runtime/files.ts";
import type { EtcdConnection } from "../storage/etcd_member.ts";
import type { Storage } from "../storage/storage.ts";
import type { Settings } from "./settings.ts";

/**
 * Opens the configured storage. Loads only the code of that storage.
 *
 * @throws {KiteError} `configError`: a certificate file cannot be read
 */
export async function openStorage(
  settings: Settings,
  onError: (error: unknown) => void,
): Promise<Storage> {
  switch (settings.storage) {
    case "memory": {
      const { MemoryStorage } = await import("../storage/memory.ts");
      return new MemoryStorage({ onError });
    }
    case "sqlite": {
      const { SqliteStorage } = await import("../storage/sqlite.ts");
      return new SqliteStorage({ path: settings.sqliteFile, onError });
    }
    case "etcd": {
      const { EtcdStorage } = await import("../storage/etcd.ts");
      return new EtcdStorage({ ...await readEtcd(settings), onError });
    }
    case "postgres": {
      const { PostgresStorage } = await import("../storage/postgres.ts");
      const { connectTimeout, ...connection } = settings.postgres;
      return new PostgresStorage({ ...connection, operationTimeout: connectTimeout, onError });
    }
  }
}

async function readEtcd({ machines, etcd }: Settings): Promise<EtcdConnection> {
  const { username, password, caFile, certFile, keyFile } = etcd;
  return {
    endpoints: machines,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(caFile !== undefined && { ca: await readPem("-etcd-cafile", caFile) }),
    ...(certFile !== undefined && { cert: await readPem("-etcd-certfile", certFile) }),
    ...(keyFile !== undefined && { key: await readPem("-etcd-keyfile", keyFile) }),
  };
}

async function readPem(flag: string, path: string): Promise<string> {
  const text = await readTextFile(path);
  if (text === undefined) throw cannotUse(flag, "must be an existing file", { value: path });
  return checkPem(flag, text);
}

/** Describes the storage for the operator, without passwords. */
export function describeStorage(settings: Settings): string {
  const { postgres, machines, sqliteFile, storage } = settings;
  switch (storage) {
    case "memory":
      return "memory; lost when Kontrol stops";
    case "sqlite":
      return `sqlite, ${sqliteFile}`;
    case "etcd":
      return `etcd, ${machines.join(", ")}`;
    case "postgres":
      return `postgres, ${postgres.username}@${postgres.host}:${postgres.port}/${postgres.database}`;
  }
}
