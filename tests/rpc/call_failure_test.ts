import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { Kite, KiteError } from "../../mod.ts";
import { runDeno } from "../runtime/support.ts";

const QUIET = { ip: "127.0.0.1", kiteKey: "", logLevel: "FATAL" } as const;
const MOD = new URL("../../mod.ts", import.meta.url).href;

function target(): Kite {
  const kite = new Kite("target", "1.0.0", QUIET).disableAuthentication();
  kite.handle("fail", () => {
    throw new KiteError("quotaError", "no seats left");
  });
  kite.handle("never", () => new Promise(() => {}));
  return kite;
}

Deno.test("the stack of a failed call leads through the caller's own functions", async () => {
  const kite = target();
  await using server = await kite.listen();
  await using remote = new Kite("caller", "1.0.0", QUIET).newClient(server.url);
  await remote.dial();
  const book = async () => void await remote.tell("fail");
  const bookAll = async () => void await Promise.all([book()]);
  const limited = async () => void await remote.tellWith({ timeout: 20 }, "never");
  const aborted = async () =>
    void await remote.tellWith({ signal: AbortSignal.abort("why") }, "never");
  const cases: [string, string, () => Promise<void>][] = [
    ["quotaError", "book", book],
    ["quotaError", "bookAll", bookAll],
    ["timeout", "limited", limited],
    ["aborted", "aborted", aborted],
  ];
  for (const [type, name, call] of cases) {
    const error = await assertRejects(call, KiteError) as KiteError;
    assertEquals([error.type, error.url], [type, server.url]);
    assertEquals(error.method, type === "quotaError" ? "fail" : "never");
    assertMatch(error.stack ?? "", new RegExp(`at async ${name} .*call_failure_test\\.ts`));
  }
  await kite.close({ deadline: 0 });
});

Deno.test("a call of a kite that dialed us fails with its address", async () => {
  const kite = target();
  const failed = Promise.withResolvers<KiteError>();
  kite.onConnect((client) => void client.tell("nothing").catch(failed.resolve));
  await using server = await kite.listen();
  await using remote = new Kite("caller", "1.0.0", QUIET).newClient(server.url);
  await remote.dial();
  const { method, url } = await failed.promise;
  assertEquals(method, "nothing");
  assertMatch(url ?? "", /^127\.0\.0\.1:\d+$/);
});

Deno.test("an error without a handler shows the user's line, the type, the method and the URL", async () => {
  const code = `import { Kite } from "${MOD}";
const quiet = { ip: "127.0.0.1", kiteKey: "", logLevel: "FATAL" };
const kite = new Kite("target", "1.0.0", quiet).disableAuthentication();
const server = await kite.listen();
const remote = new Kite("caller", "1.0.0", quiet).newClient(server.url);
await remote.dial();
async function work() {
  await remote.tell("missing", 1);
}
await work();`;
  const { code: exit, stderr } = await runDeno(["--no-check", "-A"], code);
  assertEquals(exit, 1);
  assertStringIncludes(stderr, 'await remote.tell("missing", 1);');
  assertMatch(stderr, /at async work \(file:.*main\.ts:8:3\)/);
  assertMatch(
    stderr,
    /Cannot call "missing" at http:\/\/127\.0\.0\.1:\d+\/kite: methodNotFound/,
  );
});
