import { checkPem, type Checks, checkSecret, checkWord } from "../../src/config_values.ts";
import { cannotUse } from "../../src/protocol/refusal.ts";
import type { StorageErrorCode } from "./failure.ts";

/** How to reach an etcd cluster. */
export interface EtcdConnection {
  /**
   * The URLs of the members: `http://host:port` or `https://host:port`.
   *
   * @default ["http://127.0.0.1:2379"]
   */
  readonly endpoints?: readonly string[];
  /** The etcd user, if the cluster has authentication enabled. */
  readonly username?: string;
  /**
   * The password of that user.
   *
   * @default ""
   */
  readonly password?: string;
  /** CA certificates to trust in addition to the system's, as PEM text. */
  readonly ca?: string;
  /** The client certificate, as PEM text, if the cluster requires one. Needs `key`. */
  readonly cert?: string;
  /** The private key of `cert`, as PEM text. */
  readonly key?: string;
  /**
   * The protocol. `"http"` is etcd's HTTP/JSON gateway, which etcd 3.4 and later serve unless
   * started with `--enable-grpc-gateway=false`. `"grpc"` uses the npm package etcd3, with which an
   * ordinary restart of etcd can crash a Deno process.
   *
   * @default "http"
   */
  readonly protocol?: "http" | "grpc";
}

/** The checks of {@linkcode EtcdConnection}. Whoever connects checks the endpoints. */
export const CONNECTION_CHECKS: Checks<EtcdConnection> = Object.freeze({
  endpoints: checkList,
  username: checkSecret,
  password: checkSecret,
  ca: checkPem,
  cert: checkPem,
  key: checkPem,
  protocol: checkWord(["http", "grpc"]),
});

function checkList(name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw cannotUse(name, "must be an array of URLs", { value });
}

/** A key and its value, as text. */
export interface EtcdEntry {
  readonly key: string;
  readonly value: string;
  /** The ID of the lease attached to the key; `"0"` for none. */
  readonly lease: string;
  /** The revision of its last change. */
  readonly revision: string;
}

/** The keys from `key` up to but excluding `end`, in key order; without `end`, only `key`. */
export interface EtcdRangeRequest {
  readonly key: string;
  readonly end?: string;
  /** Maximum number of keys; 0 (the default) means all. */
  readonly limit?: number;
  /** Leave out the values. */
  readonly keysOnly?: boolean;
  /** The revision to read at; `"0"` (the default) means the latest. */
  readonly revision?: string;
  /** Return the most recently created keys first. */
  readonly newestFirst?: boolean;
}

/** One page of a range, and the revision at which it was read. */
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

/** A condition of a transaction: the revision of a key's last change or creation; `"0"` for never. */
export type EtcdCondition =
  | { readonly key: string; readonly changedAt: string }
  | { readonly key: string; readonly createdAt: string };

/** Steps that etcd runs atomically. */
export interface EtcdTransaction {
  /** `steps` run if all of these hold. */
  readonly conditions?: readonly EtcdCondition[];
  readonly steps: readonly EtcdStep[];
  /** The steps to run if a condition does not hold. */
  readonly otherwise?: readonly EtcdStep[];
}

/** The result of a transaction. */
export interface EtcdOutcome {
  /** Whether every condition held. */
  readonly succeeded: boolean;
  /** The entries read by each step, in order; empty for a step that reads nothing. */
  readonly read: readonly (readonly EtcdEntry[])[];
  readonly revision: string;
}

/** One message of a watch: changes in order. */
export interface EtcdChanges {
  /** The member's revision. */
  readonly revision: string;
  /** The reason, if etcd has cancelled the watch. */
  readonly cancelled?: string;
  readonly changes: readonly { readonly isDeletion: boolean; readonly entry: EtcdEntry }[];
}

/** Receives the messages of a watch. Neither method may throw. */
export interface EtcdWatchListener {
  /** Called with each message; the first one confirms that the watch has started. */
  onChanges(changes: EtcdChanges): void;
  /** Called once when the watch ends for any reason other than `stop`. */
  onLost(error: unknown): void;
}

/** A running watch. */
export interface EtcdWatch {
  /** Cancels the watch, at etcd too. Idempotent. */
  stop(): void;
}

/** The options of one call. */
export interface EtcdCall {
  /** Milliseconds after which the call fails. */
  readonly timeout: number;
}

/** A client for one member of a cluster. Calls fail with an {@linkcode EtcdFailure}. */
export interface EtcdMember {
  range(request: EtcdRangeRequest, call: EtcdCall): Promise<EtcdPage>;
  transact(transaction: EtcdTransaction, call: EtcdCall): Promise<EtcdOutcome>;
  /** Grants a lease and returns its ID. */
  grantLease(seconds: number, call: EtcdCall): Promise<string>;
  /**
   * Renews leases.
   *
   * @returns the IDs of the leases that have expired
   */
  keepAlive(leases: readonly string[], call: EtcdCall): Promise<Set<string>>;
  /** Watches the keys from `key` up to `end` for changes, beginning at revision `since`. */
  watch(
    range: { readonly key: string; readonly end: string; readonly since: number },
    listener: EtcdWatchListener,
  ): Promise<EtcdWatch>;
  /** Ends every call and watch, and closes the connections. Idempotent. */
  close(): void;
}

/** Why a call of a member failed. */
export class EtcdFailure extends Error {
  override readonly name = "EtcdFailure";
  /** After `unreachable` and `timeout`, a retry may succeed, at this member or another. */
  readonly code: Exclude<StorageErrorCode, "closed">;
  /** True if no connection was established, so that nothing was sent. */
  readonly isRefused: boolean;

  constructor(code: EtcdFailure["code"], message: string, isRefused = false) {
    super(message);
    this.code = code;
    this.isRefused = isRefused;
  }
}

/** gRPC status codes of temporary failures: cancelled, unknown, aborted, internal, unavailable. */
const TEMPORARY_CODES: readonly number[] = [1, 2, 10, 13, 14];

const DEADLINE_EXCEEDED = 4;

/** The failure code for a gRPC status. */
export function failureCode(status: number): EtcdFailure["code"] {
  if (status === DEADLINE_EXCEEDED) return "timeout";
  return TEMPORARY_CODES.includes(status) ? "unreachable" : "failed";
}
