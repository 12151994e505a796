/**
 * Measures each storage with 100 and with 10,000 registered kites.
 *
 * `deno run -A tests/kontrol/storage/storage_bench.ts [memory] [sqlite] [etcd] [postgres]`
 *
 * @module
 */

import { EtcdStorage } from "../../../kontrol/storage/etcd.ts";
import { MemoryStorage } from "../../../kontrol/storage/memory.ts";
import { PostgresStorage } from "../../../kontrol/storage/postgres.ts";
import { SqliteStorage } from "../../../kontrol/storage/sqlite.ts";
import type { Storage } from "../../../kontrol/storage/storage.ts";
import { TestEtcd } from "../../support/etcd.ts";
import { TestPostgres } from "../../support/postgres.ts";
import { PAIR, registration } from "./fixture.ts";

/** Kites with the same name, which match one query. */
const INSTANCES = 10;
const QUERIES = 1_000;
const CONCURRENCY = 50;

/** Durations in milliseconds. */
interface Times {
  readonly median: number;
  readonly p99: number;
}

const KINDS: Record<Storage["kind"], (stack: AsyncDisposableStack) => Promise<Storage>> = {
  memory: () => Promise.resolve(new MemoryStorage()),
  sqlite: async (stack) => {
    const directory = await Deno.makeTempDir();
    stack.defer(() => Deno.remove(directory, { recursive: true }));
    return new SqliteStorage({ path: `${directory}/db` });
  },
  etcd: async (stack) => {
    const { endpoints } = stack.use(await TestEtcd.start());
    return new EtcdStorage({ endpoints });
  },
  postgres: async (stack) => {
    const server = stack.use(await TestPostgres.start());
    const { host, port, username } = server;
    return new PostgresStorage({ host, port, username, database: await server.createDatabase() });
  },
};

async function measure(kind: Storage["kind"]): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const storage = stack.use(await KINDS[kind](stack));
  await storage.keyPairs.add(PAIR);
  const ids: string[] = [];
  for (const total of [100, 10_000]) {
    const begin = performance.now();
    const added = total - ids.length;
    while (ids.length < total) {
      const batch = Array.from(
        { length: Math.min(CONCURRENCY, total - ids.length) },
        (_, place) => {
          return registration({ name: `name-${Math.floor((ids.length + place) / INSTANCES)}` });
        },
      );
      await Promise.all(batch.map((each) => storage.upsert(each)));
      ids.push(...batch.map(({ kite }) => kite.id));
    }
    print(kind, total, "upsert", `${rate(added, begin)}/s, ${CONCURRENCY} at once`);

    const pick = (): string => `name-${Math.floor(Math.random() * total / INSTANCES)}`;
    const full = { username: "devrim", environment: "production" };
    await repeat(() => storage.get({ name: pick() }));
    print(
      kind,
      total,
      "get by name, 10 found",
      show(await repeat(() => storage.get({ name: pick() }))),
    );
    print(
      kind,
      total,
      "get by user, environment, name",
      show(await repeat(() => storage.get({ ...full, name: pick() }))),
    );
    print(
      kind,
      total,
      "get by name and constraint",
      show(await repeat(() => storage.get({ name: pick(), version: ">= 1.0, < 2.0" }))),
    );
    const id = (): string => ids[Math.floor(Math.random() * ids.length)] ?? "";
    print(kind, total, "get by id", show(await repeat(() => storage.get({ id: id() }))));

    const refreshed = performance.now();
    const missing = await storage.refresh(ids);
    const took = (performance.now() - refreshed).toFixed(0);
    print(kind, total, "refresh all", `${took} ms, ${missing.length} missing`);
  }
}

async function repeat(work: () => Promise<unknown>): Promise<Times> {
  const times: number[] = [];
  for (let turn = 0; turn < QUERIES; turn++) {
    const begin = performance.now();
    await work();
    times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  return {
    median: times[Math.floor(times.length / 2)] ?? NaN,
    p99: times[Math.floor(times.length * 0.99)] ?? NaN,
  };
}

function rate(count: number, begin: number): string {
  return (count / (performance.now() - begin) * 1_000).toFixed(0);
}

function show({ median, p99 }: Times): string {
  return `p50 ${median.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms`;
}

function print(kind: string, total: number, what: string, result: string): void {
  // deno-lint-ignore no-console -- the program prints its results
  console.log(`${kind.padEnd(9)}${String(total).padStart(6)}  ${what.padEnd(31)}${result}`);
}

if (import.meta.main) {
  const asked = Deno.args.length > 0 ? Deno.args : Object.keys(KINDS);
  for (const kind of Object.keys(KINDS) as Storage["kind"][]) {
    if (asked.includes(kind)) await measure(kind);
  }
}
