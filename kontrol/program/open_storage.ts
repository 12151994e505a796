import type { Storage } from "../storage/storage.ts";
import type { Settings } from "./settings.ts";

/** Opens the storage that was chosen; only its own code is loaded. */
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
      return new EtcdStorage({ endpoints: settings.machines, onError });
    }
    case "postgres": {
      const { PostgresStorage } = await import("../storage/postgres.ts");
      const { connectTimeout, ...connection } = settings.postgres;
      return new PostgresStorage({ ...connection, operationTimeout: connectTimeout, onError });
    }
  }
}

/** How the storage is named to the owner; no password in it. */
export function describeStorage(settings: Settings): string {
  const { postgres, machines, sqliteFile, storage } = settings;
  switch (storage) {
    case "memory":
      return "memory: nothing is kept when Kontrol stops";
    case "sqlite":
      return `sqlite, ${sqliteFile}`;
    case "etcd":
      return `etcd, ${machines.join(", ")}`;
    case "postgres":
      return `postgres, ${postgres.username}@${postgres.host}:${postgres.port}/${postgres.database}`;
  }
}
