/**
 * Kontrol as a library: the registry of kites, which issues their keys and tokens. You choose the
 * storage and the policy, and can add methods and authenticators.
 *
 * @example
 * ```ts
 * import { createKontrol, MemoryStorage } from "@kite/kite/kontrol";
 *
 * await using kontrol = await createKontrol({
 *   storage: new MemoryStorage(),
 *   kite: { ip: "127.0.0.1", port: 0, logLevel: "ERROR" },
 *   policy: "strict",
 *   machineAuthenticate: ({ username }) => {
 *     if (username !== "alice") throw new Error("unknown user");
 *   },
 * });
 * kontrol.kite.handle("motd", () => "Welcome").disableAuthentication();
 * const server = await kontrol.listen();
 * console.assert(server.url.startsWith("http://127.0.0.1:"));
 * ```
 *
 * @module
 */
export { createKontrol, type CreateKontrolOptions } from "./create.ts";
export { DEFAULT_PORT, Kontrol } from "./kontrol.ts";
export type { KontrolOptions, TokenOptions } from "./options.ts";
export type { MachineOptions, MachineRequest } from "./methods.ts";
export type { Caller, Policy, PolicyName } from "./policy.ts";
export type { RegisterMode } from "./admission.ts";
export { createInvite, type InviteOptions, type NewInvite } from "./invites.ts";
export type { BudgetOptions } from "./budgets.ts";
export type { LivenessOptions } from "./liveness.ts";
export type { TokenIssuerOptions } from "./tokens.ts";
export { KeyRing, type KeyRingOptions, type NewKeyPair } from "./key_ring.ts";
export { type CounterName, type Gauge, Metrics } from "./metrics.ts";
export { MemoryStorage } from "./storage/memory.ts";
export { SqliteStorage } from "./storage/sqlite.ts";
export type { SqliteStorageOptions } from "./storage/sqlite_options.ts";
export type { EtcdConnection } from "./storage/etcd_member.ts";
export type { PostgresConnection } from "./storage/postgres_route.ts";
export { EtcdStorage } from "./storage/etcd.ts";
export type { EtcdStorageOptions } from "./storage/etcd_options.ts";
export { PostgresStorage } from "./storage/postgres.ts";
export type { PostgresStorageOptions } from "./storage/postgres_options.ts";
export type {
  DeleteOptions,
  GetOptions,
  Invite,
  Invites,
  KeyPair,
  KeyPairs,
  LossListener,
  OperationOptions,
  Registration,
  Storage,
  StorageEvent,
  StorageListener,
  StorageOptions,
  StoredKeyPair,
  Watch,
} from "./storage/storage.ts";
export { createKiteKey, type KiteKeyOptions } from "../src/auth/kite_key.ts";
export {
  generateKeyPair,
  importPrivateKey,
  type KeyAlgorithm,
  type KeyPairPem,
  type PrivateKey,
} from "../src/auth/keys.ts";
