import { MemoryStorage } from "../../../kontrol/storage/memory.ts";
import { testContract } from "./contract.ts";

testContract({
  kind: "memory",
  isShared: false,
  shortTimeToLive: 300,
  expiryDelay: 50,
  ignore: false,
  create: () =>
    Promise.resolve({
      open: (options) => Promise.resolve(new MemoryStorage(options)),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
});
