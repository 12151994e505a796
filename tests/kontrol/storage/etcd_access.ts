import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { EtcdStorage } from "../../../kontrol/storage/etcd.ts";
import type { EtcdStorageOptions } from "../../../kontrol/storage/etcd_options.ts";
import { KiteError } from "../../../src/protocol/errors.ts";
import { etcdTls, TestEtcd } from "../../support/etcd.ts";
import { eventually } from "../../support/eventually.ts";
import { listen } from "./contract_watch.ts";
import { ids, PAIR, registration } from "./fixture.ts";

/** The password of the etcd user `root`. */
export const PASSWORD = "correct horse";

type Protocol = NonNullable<EtcdStorageOptions["protocol"]>;

/** Fails unless registrations, watches and refreshes work. */
export async function assertWorks(options: EtcdStorageOptions): Promise<void> {
  await using storage = new EtcdStorage(options);
  await storage.keyPairs.add(PAIR);
  const all = await listen(storage, { name: "math" });
  const kite = registration();
  await storage.upsert(kite);
  assertEquals(ids(await storage.get({ name: "math" })), [kite.kite.id]);
  assertEquals(await storage.refresh([kite.kite.id]), []);
  assertEquals(await storage.delete(kite.kite.id), true);
  await eventually(() => all.events.length === 2);
}

/** Enables authentication at an etcd. */
export async function enableAuth(
  endpoint: string,
): Promise<(path: string, body: object) => Promise<void>> {
  let authorization = "";
  const post = async (path: string, body: object): Promise<{ token?: string }> => {
    const response = await fetch(`${endpoint}/v3/auth/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: authorization === "" ? {} : { authorization },
    });
    const answer = await response.json();
    assert(response.ok, JSON.stringify(answer));
    return answer;
  };
  await post("user/add", { name: "root", password: PASSWORD });
  await post("user/grant", { user: "root", role: "root" }).catch(async () => {
    await post("role/add", { name: "root" });
    await post("user/grant", { user: "root", role: "root" });
  });
  await post("enable", {});
  authorization = (await post("authenticate", { name: "root", password: PASSWORD })).token ?? "";
  return async (path, body) => void await post(path, body);
}

/** Fails unless a storage works with an etcd that requires TLS certificates, and fails without. */
export async function assertWorksWithTls(protocol: Protocol): Promise<void> {
  await using secure = await TestEtcd.start(1, { tls: true });
  // The gRPC driver can verify names, but not addresses.
  const endpoints = secure.endpoints.map((url) => url.replace("127.0.0.1", "localhost"));
  const tls = await etcdTls();
  await assertWorks({ endpoints, protocol, ...tls });
  await using untrusting = new EtcdStorage({ endpoints, protocol, operationTimeout: 1_000 });
  const error = await assertRejects(() => untrusting.ready(), KiteError);
  assertEquals(error.type, "storageError");
}

/** Fails unless a storage works with an etcd that requires a user, and reports a wrong one. */
export async function assertWorksWithUser(protocol: Protocol): Promise<void> {
  await using guarded = await TestEtcd.start();
  const { endpoints } = guarded;
  await enableAuth(endpoints[0]!);
  await assertWorks({ endpoints, protocol, username: "root", password: PASSWORD });
  for (const user of [{ username: "root", password: "wrong" }, {}]) {
    await using storage = new EtcdStorage({ endpoints, protocol, ...user });
    const error = await assertRejects(() => storage.ready(), KiteError);
    assertEquals([error.type, error.code], ["storageError", "failed"], error.message);
    assertMatch(error.message, /user/);
    assert(!error.message.includes("wrong"), "the message contains no password");
  }
}
