import { EtcdStorage } from "../../../kontrol/storage/etcd.ts";
import { TestEtcd } from "../../support/etcd.ts";
import { skipUnless } from "../../support/parts.ts";
import { testContract } from "./contract.ts";

const { ignore } = skipUnless("etcd");
let cluster: TestEtcd | undefined;

Deno.test.beforeAll(async () => {
  if (!ignore) cluster = await TestEtcd.start();
});

Deno.test.afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

testContract({
  kind: "etcd",
  isShared: true,
  // Leases have whole seconds, and etcd grants none shorter than an election.
  shortTimeToLive: 2_000,
  expiryDelay: 2_000,
  ignore,
  create: () => {
    if (cluster === undefined) throw new Error("etcd does not run");
    const { endpoints } = cluster;
    const prefix = `/test-${crypto.randomUUID()}`;
    return Promise.resolve({
      // The contract reads changes of another storage immediately.
      open: (options) => {
        return Promise.resolve(new EtcdStorage({ ...options, endpoints, prefix, freshness: 0 }));
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
});
