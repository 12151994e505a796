import type { StorageErrorCode } from "./failure.ts";

/** How to reach an etcd cluster. */
export interface EtcdConnection {
  /**
   * The members, as `http://host:port` or `https://host:port`.
   *
   * @default ["http://127.0.0.1:2379"]
   */
  readonly endpoints?: readonly string[];
  /** A user of etcd, where it asks for one. */
  readonly username?: string;
  /** That user's password. */
  readonly password?: string;
  /** The certificates of authorities to trust beside the system's, PEM text. */
  readonly ca?: string;
  /** The client certificate for an etcd that asks for one, PEM text; needs `key`. */
  readonly cert?: string;
  /** The private key of `cert`, PEM text. */
  readonly key?: string;
  /**
   * How to talk to etcd: `"http"` is its HTTP/JSON gateway, which every etcd from 3.4 on serves unless
   * it runs with `--enable-grpc-gateway=false`; `"grpc"` is the npm package etcd3, under which an
   * ordinary restart of etcd can crash a Deno process.
   * @default "http"
   */
  readonly protocol?: "http" | "grpc";
}

/** A key and its value, as text. */
export interface EtcdEntry {
  readonly key: string;
  readonly value: string;
  /** The lease that the key lives by, `"0"` for none. */
  readonly lease: string;
  /** The revision of its last change. */
  readonly revision: string;
}

/** Keys to read: from `key` up to, not including, `end`; one key without it. Sorted by key. */
export interface EtcdRangeRequest {
  readonly key: string;
  readonly end?: string;
  /**
   * At most so many; 0 for all.
   *
   * @default 0
   */
  readonly limit?: number;
  /**
   * Without the values.
   *
   * @default false
   */
  readonly keysOnly?: boolean;
  /**
   * The revision to read at.
   *
   * @default "0" the present one
   */
  readonly revision?: string;
  /**
   * The key created last comes first.
   *
   * @default false
   */
  readonly newestFirst?: boolean;
}

/** Some keys, whether there are more, and the revision at which they were read. */
export interface EtcdPage {
  readonly entries: EtcdEntry[];
  readonly more: boolean;
  readonly revision: string;
}

/** One step of a transaction. */
export type EtcdStep =
  | { readonly put: string; readonly value: string; readonly lease?: string }
  | { readonly delete: string }
  | { readonly read: string; readonly keysOnly?: boolean };

/** A condition of a transaction: when a key was last changed, or created; `"0"` for never. */
export type EtcdCondition =
  | { readonly key: string; readonly changedAt: string }
  | { readonly key: string; readonly createdAt: string };

/** Steps that happen together, or not at all. */
export interface EtcdTransaction {
  /** All of them have to hold. */
  readonly conditions?: readonly EtcdCondition[];
  readonly steps: readonly EtcdStep[];
  /** What to do if a condition does not hold. */
  readonly otherwise?: readonly EtcdStep[];
}

/** What a transaction came to. */
export interface EtcdOutcome {
  /** Whether every condition held. */
  readonly succeeded: boolean;
  /** What each step read, in order; empty for a step that reads nothing. */
  readonly read: readonly (readonly EtcdEntry[])[];
  readonly revision: string;
}

/** Changes that a watch brings, in order. */
export interface EtcdChanges {
  /** The member's revision. */
  readonly revision: string;
  /** Why the watch has ended, where it has. */
  readonly cancelled?: string;
  readonly changes: readonly { readonly isDeletion: boolean; readonly entry: EtcdEntry }[];
}

/** Who follows a watch. Neither method should throw. */
export interface EtcdWatcher {
  /** Called with each answer; the first one says that the watch has begun. */
  heard(changes: EtcdChanges): void;
  /** Called once when the watch has ended, unless it was stopped. */
  lost(error: unknown): void;
}

/** A running watch. */
export interface EtcdWatch {
  /** Ends it, at etcd too. Harmless when it has ended. */
  stop(): void;
}

/** What a call of a member takes. */
export interface EtcdCall {
  /** Milliseconds until the call has failed. */
  readonly timeout: number;
}

/** One member of a cluster, by whichever protocol. Failures are {@linkcode EtcdFailure}s. */
export interface EtcdMember {
  range(request: EtcdRangeRequest, call: EtcdCall): Promise<EtcdPage>;
  transact(transaction: EtcdTransaction, call: EtcdCall): Promise<EtcdOutcome>;
  /** Grants a lease of so many seconds and gives its id. */
  grantLease(seconds: number, call: EtcdCall): Promise<string>;
  /**
   * Starts the time of all these leases anew.
   *
   * @returns The ids of those that are gone.
   */
  keepAlive(leases: readonly string[], call: EtcdCall): Promise<Set<string>>;
  /** Begins to watch the keys from `key` to `end`, for changes from revision `since` on. */
  watch(
    place: { readonly key: string; readonly end: string; readonly since: number },
    watcher: EtcdWatcher,
  ): Promise<EtcdWatch>;
  /** Ends every call and watch, and closes the connections. Harmless when it is closed. */
  close(): void;
}

/** Why a call of a member failed. */
export class EtcdFailure extends Error {
  override readonly name = "EtcdFailure";
  /** `unreachable` and `timeout`: another member, or the same one later, may do it. */
  readonly code: Exclude<StorageErrorCode, "closed">;
  /** True if no connection came about: nothing was sent. */
  readonly isRefused: boolean;

  constructor(code: EtcdFailure["code"], message: string, isRefused = false) {
    super(message);
    this.code = code;
    this.isRefused = isRefused;
  }
}

/** Codes of gRPC that may pass by themselves: cancelled, unknown, aborted, internal, unavailable. */
const PASSING_CODES: readonly number[] = [1, 2, 10, 13, 14];

const DEADLINE_EXCEEDED = 4;

/** What a status of gRPC means here. */
export function failureCode(status: number): EtcdFailure["code"] {
  if (status === DEADLINE_EXCEEDED) return "timeout";
  return PASSING_CODES.includes(status) ? "unreachable" : "failed";
}
