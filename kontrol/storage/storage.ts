import type { KiteIdentity } from "../../src/protocol/identity.ts";
import type { KontrolQuery } from "../../src/protocol/query.ts";

/** Milliseconds that a registration lives without a refresh (docs/kontrol-protocol.md §4). */
export const DEFAULT_TIME_TO_LIVE = 90_000;

/** Milliseconds after which an operation of a storage has failed. */
export const DEFAULT_OPERATION_TIMEOUT = 5_000;

/** One kite as Kontrol knows it. */
export interface Registration {
  /** Who it is. `id` is in lower case, as every storage keeps it. */
  readonly kite: KiteIdentity;
  /** Where it answers. */
  readonly url: string;
  /** The {@linkcode StoredKeyPair.id} of the key pair that it registered under. */
  readonly keyId: string;
  /** When it was last added or refreshed, milliseconds since 1970, where the storage tells. */
  readonly updatedAt?: number;
}

/** A change that a watcher hears of. A change of url is a `REGISTER` of the same kite. */
export interface StorageEvent {
  /** What happened. */
  readonly action: "REGISTER" | "DEREGISTER";
  /** The kite that it happened to. */
  readonly registration: Registration;
}

/** What every operation of a storage takes. */
export interface OperationOptions {
  /** Ends the wait with an `aborted` error. What was already sent to a server may still happen. */
  readonly signal?: AbortSignal;
}

/** What {@linkcode Storage.get} takes. */
export interface GetOptions extends OperationOptions {
  /**
   * At most so many registrations; which of them is left open.
   *
   * @default Infinity
   */
  readonly limit?: number;
}

/** What {@linkcode Storage.delete} takes. */
export interface DeleteOptions extends OperationOptions {
  /**
   * Delete only what this storage object added, and no other has taken over since: a kite that is
   * at another Kontrol by now stays.
   * @default false
   */
  readonly ifOurs?: boolean;
}

/** A running {@linkcode Storage.watch}. */
export interface Watch extends Disposable {
  /** What matched when the watch began. Every later change reaches the listener. */
  readonly current: readonly Registration[];
  /** Ends it: the listener is not called again. Harmless when it has ended already. */
  stop(): void;
}

/** Called with one change after the other, in order. It should not wait and should not throw. */
export type StorageListener = (event: StorageEvent) => void;

/**
 * Called with a registration that has gone, or without one when any of them may be gone. It should
 * not wait and should not throw.
 */
export type LossListener = (lost?: Registration) => void;

/** A pair of RSA keys, PEM, with which Kontrol signs. */
export interface KeyPair {
  /** A UUID. */
  readonly id: string;
  /** The public key. Pairs are found by the exact text without the white space around it. */
  readonly public: string;
  /** The private key. */
  readonly private: string;
}

/** A {@linkcode KeyPair} as the storage keeps it. */
export interface StoredKeyPair extends KeyPair {
  /** When it was added, milliseconds since 1970. */
  readonly createdAt: number;
  /** When it was deleted, milliseconds since 1970. A deleted pair still verifies, it no longer signs. */
  readonly deletedAt?: number;
}

/** The key pairs, shared by every Kontrol on the same storage. */
export interface KeyPairs {
  /**
   * Adds a pair and gives it as it is stored. A public key that is there already keeps its id, its
   * private key and its deletion: the answer is then the older pair. An id or a private key that
   * belongs to another public key is refused with an `argumentError`.
   */
  add(pair: KeyPair, options?: OperationOptions): Promise<StoredKeyPair>;
  /** Marks a pair as deleted; false when there is none or it was deleted before. */
  softDelete(id: string, options?: OperationOptions): Promise<boolean>;
  /** Every pair, deleted ones too, the last added first. */
  list(options?: OperationOptions): Promise<StoredKeyPair[]>;
  /** The pair of that id, deleted or not. */
  byId(id: string, options?: OperationOptions): Promise<StoredKeyPair | undefined>;
  /** The pair of that public key, deleted or not. */
  byPublic(publicKey: string, options?: OperationOptions): Promise<StoredKeyPair | undefined>;
}

/** Leave for one registration of a machine, as the storage keeps it. */
export interface Invite {
  /** The SHA-256 hash of its code, hexadecimal. */
  readonly id: string;
  /** The only username that it is for, `""` for any. */
  readonly username: string;
  /** When it expires, milliseconds since 1970. */
  readonly expiresAt: number;
}

/** The invites, shared by every Kontrol on the same storage. */
export interface Invites {
  /**
   * Adds an invite.
   *
   * @throws {KiteError} `limitError` when 10,000 are waiting already
   */
  add(invite: Invite, options?: OperationOptions): Promise<void>;
  /**
   * Takes an invite out, if it is there, has not expired, and is for this username. Of several
   * calls at once, at whichever Kontrols, one gets true.
   */
  redeem(id: string, username: string, options?: OperationOptions): Promise<boolean>;
}

/**
 * Where Kontrol keeps registrations and key pairs. The four kinds (memory, SQLite, etcd, PostgreSQL)
 * behave alike; what only one of them can do is not in here.
 *
 * Several Kontrols may share one storage. Every operation ends within the storage's bound: when the
 * storage can not be reached it throws a {@linkcode KiteError} of type `storageError` whose `code` is
 * one of {@linkcode StorageErrorCode}, and the next one works again as soon as the storage does.
 */
export interface Storage extends AsyncDisposable {
  /** Which kind this is, for logs and metrics. */
  readonly kind: "memory" | "sqlite" | "etcd" | "postgres";
  /** The key pairs. */
  readonly keyPairs: KeyPairs;
  /** The invites. */
  readonly invites: Invites;
  /**
   * The live registrations that match. Any fields may be given, at least one; `version` may be a
   * constraint. A registration that was not refreshed for the time to live is not among them, whether
   * it was cleaned away or not. The cost follows the size of the answer, not that of the registry.
   * What this storage object did is in the answer; of what others did, the last few milliseconds may
   * be missing where a storage says so.
   */
  get(query: KontrolQuery, options?: GetOptions): Promise<Registration[]>;
  /**
   * Adds a kite, or replaces what is known under its id, and starts its time to live anew.
   * Refused with an `argumentError`: a field that is empty or holds a `/`, an id that is no UUID, an
   * id that a kite of another user lives under.
   */
  upsert(registration: Registration, options?: OperationOptions): Promise<void>;
  /**
   * Starts the time to live of all these kites anew, in bulk.
   * @returns The ids, as given, under which nothing lives any more: these have to be added again.
   */
  refresh(ids: readonly string[], options?: OperationOptions): Promise<string[]>;
  /** Removes a kite; false when it was not there (or, with `ifOurs`, is another Kontrol's by now). */
  delete(id: string, options?: DeleteOptions): Promise<boolean>;
  /**
   * Follows what {@linkcode Storage.get} would give: the present list now, then each change exactly
   * once and in order, whichever process made it: one `REGISTER` per appearance or change of url, none
   * per refresh, one `DEREGISTER` per disappearance, expiry included. The listener is not called before
   * the caller has the list. While the storage is away nothing is heard; what changed in the
   * meantime follows when it is back.
   */
  watch(query: KontrolQuery, listener: StorageListener, options?: OperationOptions): Promise<Watch>;
  /**
   * Calls the listener with each registration that goes, whoever removed it and for whatever reason,
   * and without one when changes may have been missed: a connection to the server was lost,
   * or the server has lost its data. It follows the registrations through every outage, until it is
   * disposed of.
   */
  onLoss(listener: LossListener): Disposable;
  /** How many live registrations each environment has. */
  count(options?: OperationOptions): Promise<Map<string, number>>;
  /** Throws, within the bound, what keeps the storage from working; fit for a readiness check. */
  ready(options?: OperationOptions): Promise<void>;
}

/** What the storages have in common in their options. */
export interface StorageOptions {
  /**
   * Milliseconds that a registration lives without a refresh.
   *
   * @default 90_000
   */
  readonly timeToLive?: number;
  /**
   * Milliseconds after which an operation has failed.
   *
   * @default 5_000
   */
  readonly operationTimeout?: number;
  /** Told of what goes wrong where nobody waits: a listener that throws, a watch that is being rebuilt. */
  readonly onError?: (error: unknown) => void;
}
