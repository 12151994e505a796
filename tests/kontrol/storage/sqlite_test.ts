import { SqliteStorage } from "../../../kontrol/storage/sqlite.ts";
import { testContract } from "./contract.ts";

testContract({
  kind: "sqlite",
  isShared: true,
  shortTimeToLive: 300,
  expiryDelay: 300,
  ignore: false,
  create: async () => {
    const directory = await Deno.makeTempDir();
    return {
      open: (options) =>
        Promise.resolve(new SqliteStorage({ ...options, path: `${directory}/db` })),
      [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
    };
  },
});
