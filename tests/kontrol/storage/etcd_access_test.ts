import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { EtcdStorage } from "../../../kontrol/storage/etcd.ts";
import { KiteError } from "../../../src/protocol/errors.ts";
import { TestEtcd } from "../../support/etcd.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { freePort } from "../../support/ports.ts";
import { listen } from "./contract_watch.ts";
import {
  assertWorks,
  assertWorksWithTls,
  assertWorksWithUser,
  enableAuth,
  PASSWORD,
} from "./etcd_access.ts";
import { PAIR, registration } from "./fixture.ts";

const { ignore } = skipUnless("etcd");

Deno.test({
  name: "etcd: works with TLS, a private CA and a client certificate",
  ignore,
  fn: () => assertWorksWithTls("http"),
});

Deno.test({
  name: "etcd: works with a user and a password, and reports wrong ones",
  ignore,
  fn: () => assertWorksWithUser("http"),
});

Deno.test({
  name: "etcd: replaces a token that etcd no longer accepts, also for watches",
  ignore,
  fn: async () => {
    // The shortest lifetime that etcd supports. Unused tokens expire after it.
    await using guarded = await TestEtcd.start(1, { flags: ["--auth-token-ttl", "1"] });
    const { endpoints } = guarded;
    const change = await enableAuth(endpoints[0]!);
    const user = { username: "root", password: PASSWORD };
    await using storage = new EtcdStorage({ endpoints, ...user, checkInterval: 500 });
    await storage.keyPairs.add(PAIR);
    const all = await listen(storage, { name: "math" });
    const [first, second] = [registration(), registration()];
    await storage.upsert(first);
    // A change of users invalidates all tokens.
    await change("user/add", { name: "other", password: PASSWORD });
    await storage.upsert(second);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    assertEquals(await storage.refresh([first.kite.id, second.kite.id]), []);
    await storage.delete(first.kite.id);
    await eventually(() => all.events.length === 3);
    assertEquals(all.events.map(({ action }) => action), ["REGISTER", "REGISTER", "DEREGISTER"]);
  },
});

Deno.test("etcd: reports at once, with their URLs, that no member answers", async () => {
  const endpoints = [freePort(), freePort()].map((port) => `http://127.0.0.1:${port}`);
  await using storage = new EtcdStorage({ endpoints, operationTimeout: 60_000 });
  const begin = performance.now();
  const error = await assertRejects(() => storage.ready(), KiteError);
  assertEquals([error.type, error.code], ["storageError", "unreachable"]);
  assertMatch(error.message, /no etcd member answers .*[Cc]onnection refused/);
  for (const endpoint of endpoints) assert(error.message.includes(endpoint), error.message);
  assert(performance.now() - begin < 30_000, "it does not wait for the timeout");
});

Deno.test({
  name: "etcd: retries during an outage after the first answer",
  ignore,
  fn: async () => {
    await using etcd = await TestEtcd.start();
    await using storage = new EtcdStorage({ endpoints: etcd.endpoints, operationTimeout: 30_000 });
    await storage.keyPairs.add(PAIR);
    for (let round = 0; round < 3; round++) {
      await etcd.stopMember(0);
      const adding = storage.upsert(registration());
      await etcd.startMember(0);
      await adding;
    }
    assertEquals((await storage.get({ name: "math" })).length, 3);
  },
});

Deno.test("etcd: refuses invalid endpoints, without passwords in the error", () => {
  for (const endpoint of ["127.0.0.1:2379", "ftp://h:1", "http://h:1/path", "http://h?x", ""]) {
    assertThrows(() => new EtcdStorage({ endpoints: [endpoint] }), KiteError, "Cannot use");
  }
  const error = assertThrows(
    () => new EtcdStorage({ endpoints: ["http://root:hunter2@h:2379"] }),
    KiteError,
    "with credentials",
  );
  assert(!error.message.includes("hunter2"));
});

Deno.test({
  name: "etcd: reports an etcd without its HTTP gateway",
  ignore,
  fn: async () => {
    await using bare = await TestEtcd.start(1, { flags: ["--enable-grpc-gateway=false"] });
    await using storage = new EtcdStorage({ endpoints: bare.endpoints });
    await assertRejects(() => storage.ready(), KiteError, "has no HTTP gateway");
    await assertWorks({ endpoints: bare.endpoints, protocol: "grpc" });
  },
});
