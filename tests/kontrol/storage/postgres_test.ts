import { PostgresStorage } from "../../../kontrol/storage/postgres.ts";
import { skipUnlessPostgres, TestPostgres } from "../../support/postgres.ts";
import { testContract } from "./contract.ts";

const { ignore } = await skipUnlessPostgres();
let server: TestPostgres | undefined;

Deno.test.beforeAll(async () => {
  if (!ignore) server = await TestPostgres.start();
});

Deno.test.afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

testContract({
  kind: "postgres",
  isShared: true,
  shortTimeToLive: 500,
  expiryDelay: 300,
  ignore,
  create: async () => {
    if (server === undefined) throw new Error("the server does not run");
    const { host, port, username } = server;
    const database = await server.createDatabase();
    const connection = {
      host,
      port,
      username,
      database,
      pollInterval: 200,
      connections: 4,
      freshness: 0,
    };
    return {
      open: (options) => Promise.resolve(new PostgresStorage({ ...connection, ...options })),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  },
});
