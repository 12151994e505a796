import { EtcdStorage } from "../../../kontrol/storage/etcd.ts";
import { TestEtcd } from "../../support/etcd.ts";
import { skipUnless } from "../../support/parts.ts";
import { testContract } from "./contract.ts";
import { assertWorksWithTls, assertWorksWithUser } from "./etcd_access.ts";

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
  shortTimeToLive: 2_000,
  expiryDelay: 2_000,
  ignore,
  create: () => {
    if (cluster === undefined) throw new Error("etcd does not run");
    const place = { endpoints: cluster.endpoints, prefix: `/test-${crypto.randomUUID()}` };
    return Promise.resolve({
      open: (options) => {
        const own = { ...place, protocol: "grpc", freshness: 0 } as const;
        return Promise.resolve(new EtcdStorage({ ...options, ...own }));
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
});

// The driver keeps timers for failed connections and tokens, which do not keep a program running.
const unwatched = { ignore, sanitizeOps: false, sanitizeResources: false };

Deno.test({
  name: "etcd: works with TLS, a private CA and a client certificate, by gRPC",
  ...unwatched,
  fn: () => assertWorksWithTls("grpc"),
});

Deno.test({
  name: "etcd: works with a user and a password, and reports wrong ones, by gRPC",
  ...unwatched,
  fn: () => assertWorksWithUser("grpc"),
});
