import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, TEST_LOCK } from "../../../tools/paths.ts";
import { TestEtcd } from "../../support/etcd.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { skipUnlessPostgres, TestPostgres } from "../../support/postgres.ts";

/** Milliseconds within which a program must end, including its start. */
const WITHIN = 30_000;

const withEtcd = skipUnless("etcd");
const withPostgres = await skipUnlessPostgres();

/** Runs a program that uses a storage and disposes of it; fails unless it ends. */
async function assertEnds(kind: string, options: object): Promise<void> {
  const user = fromFileUrl(new URL("./dispose_program.ts", import.meta.url));
  const args = ["run", "--quiet", "-A", TEST_LOCK, user, kind, JSON.stringify(options)];
  const signal = AbortSignal.timeout(WITHIN);
  const command = new Deno.Command(Deno.execPath(), { args, signal, stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  assertEquals(new TextDecoder().decode(stdout), "disposed\n", new TextDecoder().decode(stderr));
  assertEquals(code, 0, "exit code");
}

Deno.test("memory: a program ends after it disposed of its storage", () =>
  assertEnds("memory", {}));

Deno.test("sqlite: a program ends after it disposed of its storage", () => {
  return assertEnds("sqlite", { path: ":memory:" });
});

Deno.test({
  name: "postgres: a program ends after it disposed of its storage, and leaves no connection",
  ...withPostgres,
  fn: async () => {
    await using server = await TestPostgres.start();
    const { host, port, username } = server;
    const database = await server.createDatabase();
    await assertEnds("postgres", { host, port, username, database });
    const others = `select 1 from pg_stat_activity where datname = '${database}'`;
    await eventually(async () => (await server.run("postgres", others)).length === 0);
  },
});

Deno.test({
  name: "postgres: a program ends after it disposed of its storage on a Unix socket",
  ...withPostgres,
  fn: async () => {
    await using server = await TestPostgres.start();
    const { socketDirectory: host, port, username } = server;
    const database = await server.createDatabase();
    await assertEnds("postgres", { host, port, username, database });
  },
});

for (const protocol of ["http", "grpc"]) {
  Deno.test({
    name:
      `etcd: a program ends after it disposed of its storage, and leaves no watch (${protocol})`,
    ...withEtcd,
    fn: async () => {
      await using cluster = await TestEtcd.start();
      const [endpoint] = cluster.endpoints;
      await assertEnds("etcd", { endpoints: [endpoint], protocol });
      await eventually(async () => {
        const response = await fetch(`${endpoint}/metrics`);
        const text = await response.text();
        assertStringIncludes(text, "etcd_debugging_mvcc_watch_stream_total");
        return /^etcd_debugging_mvcc_watch_stream_total 0$/m.test(text);
      }, { what: "end of all watches" });
    },
  });
}
