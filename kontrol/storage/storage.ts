import type { KiteIdentity } from "../../src/protocol/identity.ts";
import type { KontrolQuery } from "../../src/protocol/query.ts";

/** Milliseconds after which a registration expires without a refresh (docs/kontrol-protocol.md §4). */
export const DEFAULT_TIME_TO_LIVE = 90_000;

/** Milliseconds after which a storage operation fails. */
export const DEFAULT_OPERATION_TIMEOUT = 5_000;

/** A registered kite. */
export interface Registration {
  /** The kite's identity; its `id` is in lower case. */
  readonly kite: KiteIdentity;
  /** The URL at which the kite is reached. */
  readonly url: string;
  /** The {@linkcode StoredKeyPair.id} of the key pair that signed the kite's kite.key. */
  readonly keyId: string;
  /** When it was last added or refreshed, milliseconds since 1970, if the storage records it. */
  readonly updatedAt?: number;
}

/** A change of a registration. A new URL is a `REGISTER` of the same kite. */
export interface StorageEvent {
  /** What happened. */
  readonly action: "REGISTER" | "DEREGISTER";
  /** The registration that changed. */
  readonly registration: Registration;
}

/** The options of every storage operation. */
export interface OperationOptions {
  /**
   * Makes the operation fail with `aborted`. Changes that were already sent to a server may still
   * take effect.
   */
  readonly signal?: AbortSignal;
}

/** The options of {@linkcode Storage.get}. */
export interface GetOptions extends OperationOptions {
  /**
   * Maximum number of registrations to return, chosen by the storage.
   *
   * @default Infinity
   */
  readonly limit?: number;
}

/** The options of {@linkcode Storage.delete}. */
export interface DeleteOptions extends OperationOptions {
  /**
   * Delete the kite only if this storage object was the last to add it. A kite that has moved to
   * another Kontrol then stays registered.
   *
   * @default false
   */
  readonly ifOurs?: boolean;
}

/** A running {@linkcode Storage.watch}. */
export interface Watch extends Disposable {
  /** The registrations that matched when the watch began. The listener receives later changes. */
  readonly current: readonly Registration[];
  /** Ends the watch; the listener is not called again. Idempotent. */
  stop(): void;
}

/** Receives changes one by one, in order. It must neither block nor throw. */
export type StorageListener = (event: StorageEvent) => void;

/**
 * Receives a registration that was removed, or `undefined` if any registration may have been lost.
 * It must neither block nor throw.
 */
export type LossListener = (lost?: Registration) => void;

/** A pair of PEM keys with which Kontrol signs. */
export interface KeyPair {
  /** A UUID. */
  readonly id: string;
  /** The public key. Lookups compare its exact text, without surrounding white space. */
  readonly public: string;
  /** The private key. */
  readonly private: string;
}

/** A {@linkcode KeyPair} in a storage. */
export interface StoredKeyPair extends KeyPair {
  /** When it was added, milliseconds since 1970. */
  readonly createdAt: number;
  /** When it was deleted, milliseconds since 1970. A deleted pair verifies but no longer signs. */
  readonly deletedAt?: number;
}

/** The key pairs, shared by every Kontrol on the same storage. */
export interface KeyPairs {
  /**
   * Adds a pair. If its public key is already stored, the stored pair stays unchanged, including its
   * deletion.
   *
   * @returns the pair as stored
   * @throws {KiteError} `argumentError`: its ID or private key belongs to another public key
   */
  add(pair: KeyPair, options?: OperationOptions): Promise<StoredKeyPair>;
  /**
   * Marks a pair as deleted.
   *
   * @returns false if the pair does not exist or was already deleted
   */
  softDelete(id: string, options?: OperationOptions): Promise<boolean>;
  /** All pairs, including deleted ones, newest first. */
  list(options?: OperationOptions): Promise<StoredKeyPair[]>;
  /** Finds a pair by its ID, deleted or not. */
  byId(id: string, options?: OperationOptions): Promise<StoredKeyPair | undefined>;
  /** Finds a pair by its public key, deleted or not. */
  byPublic(publicKey: string, options?: OperationOptions): Promise<StoredKeyPair | undefined>;
}

/** Leave for one registration of a machine, as the storage keeps it. */
export interface Invite {
  /** The SHA-256 hash of its code, hexadecimal. */
  readonly id: string;
  /** The username that may register with it; `""` for any. */
  readonly username: string;
  /** When it expires, milliseconds since 1970. */
  readonly expiresAt: number;
}

/** The invites, shared by every Kontrol on the same storage. */
export interface Invites {
  /**
   * Adds an invite.
   *
   * @throws {KiteError} `limitError`: there are already 10,000 unused invites
   */
  add(invite: Invite, options?: OperationOptions): Promise<void>;
  /**
   * Removes an invite if it exists, has not expired, and is for this username.
   *
   * @returns true for exactly one of several concurrent calls, at any Kontrol
   */
  redeem(id: string, username: string, options?: OperationOptions): Promise<boolean>;
}

/**
 * Stores registrations and key pairs. Memory, SQLite, etcd and PostgreSQL storages behave alike.
 *
 * Several Kontrols may share one storage. Every operation ends within the operation timeout. If the
 * storage is unavailable, it throws a {@linkcode KiteError} of type `storageError` whose `code` is
 * `unreachable`, `timeout`, `failed` or `closed`. Operations succeed again once the storage has
 * recovered.
 *
 * @example
 * ```ts
 * import { MemoryStorage, type Storage } from "@kite/kite/kontrol";
 *
 * await using storage: Storage = new MemoryStorage();
 * const watch = await storage.watch({ name: "math" }, ({ action }) => console.log(action));
 * console.assert(watch.current.length === 0);
 * ```
 */
export interface Storage extends AsyncDisposable {
  /** The kind of storage, for logs and metrics. */
  readonly kind: "memory" | "sqlite" | "etcd" | "postgres";
  /** The key pairs. */
  readonly keyPairs: KeyPairs;
  /** The invites. */
  readonly invites: Invites;
  /**
   * Returns the live registrations that match. The query needs at least one field; `version` may be
   * a constraint. Expired registrations are never returned. The cost depends on the number of
   * results, not on the size of the registry. The result includes all changes made through this
   * storage object; changes of the last few milliseconds made by others may be missing if the
   * storage documents it.
   *
   * @throws {KiteError} `argumentError`: the query is empty or its version is malformed
   */
  get(query: KontrolQuery, options?: GetOptions): Promise<Registration[]>;
  /**
   * Adds a kite or replaces the registration with its ID, and restarts its time to live.
   *
   * @throws {KiteError} `argumentError`: a field is empty or contains a `/`, the ID is not a UUID, or
   * it belongs to a kite of another user
   */
  upsert(registration: Registration, options?: OperationOptions): Promise<void>;
  /**
   * Restarts the time to live of many kites.
   *
   * @returns the given IDs that are not registered and must be added again
   */
  refresh(ids: readonly string[], options?: OperationOptions): Promise<string[]>;
  /**
   * Removes a kite.
   *
   * @returns false if it was not registered, or, with `ifOurs`, belongs to another Kontrol
   */
  delete(id: string, options?: DeleteOptions): Promise<boolean>;
  /**
   * Watches the registrations that {@linkcode Storage.get} would return: first the current list, then
   * each change exactly once and in order, no matter which process made it. A new kite or a new URL
   * is a `REGISTER`; a removal or an expiry is a `DEREGISTER`; a refresh is not an event. The listener
   * is not called before this method has resolved. Changes made during an outage of the storage are
   * delivered once it is available again.
   */
  watch(query: KontrolQuery, listener: StorageListener, options?: OperationOptions): Promise<Watch>;
  /**
   * Calls the listener with each registration that is removed, whatever the cause, and with
   * `undefined` if changes may have been missed because the connection to the server was lost or the
   * server lost its data. The listener stays active across outages until it is disposed of.
   */
  onLoss(listener: LossListener): Disposable;
  /** Counts the live registrations of each environment. */
  count(options?: OperationOptions): Promise<Map<string, number>>;
  /** Throws if the storage is not usable. Serves as a readiness check. */
  ready(options?: OperationOptions): Promise<void>;
}

/** The options that all storages share. */
export interface StorageOptions {
  /**
   * Milliseconds after which a registration expires without a refresh.
   *
   * @default 90_000
   */
  readonly timeToLive?: number;
  /**
   * Milliseconds after which an operation fails.
   *
   * @default 5_000
   */
  readonly operationTimeout?: number;
  /**
   * Receives errors of background work: a listener that threw, or a watch that is being restarted.
   *
   * @default ignores them
   */
  readonly onError?: (error: unknown) => void;
}
