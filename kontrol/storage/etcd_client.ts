import { noop } from "cockatiel";
import * as etcd from "etcd3";
import { KiteError } from "../../src/protocol/errors.ts";
import { bounded, messageOf, storageError, throwIfAborted } from "./failure.ts";
import type { OperationOptions } from "./storage.ts";

/** How to reach an etcd cluster. */
export interface EtcdConnection {
  /** The members, as `http://host:port` or `https://host:port`. @default ["http://127.0.0.1:2379"] */
  readonly endpoints?: readonly string[];
  /** A user of etcd, where it asks for one. */
  readonly username?: string;
  /** That user's password. */
  readonly password?: string;
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

/** Some keys, and the revision at which they were read. */
export interface EtcdRange {
  readonly entries: EtcdEntry[];
  readonly revision: string;
}

/** The bytes of a key or value, in the driver's type. */
export type EtcdBytes = NonNullable<etcd.IRangeRequest["key"]>;

/** A stream of changes. */
export type EtcdWatchStream = Awaited<ReturnType<etcd.WatchClient["watch"]>>;

/** What can pass by itself: another member, or the same one a moment later, may well do it. */
const PASSING_ERRORS = [
  etcd.GRPCUnavailableError,
  etcd.GRPCDeadlineExceededError,
  etcd.GRPCCancelledError,
  etcd.GRPCInternalError,
  etcd.GRPCUnknownError,
  etcd.GRPCAbortedError,
  etcd.ClientClosedError,
];

/** Keys read at once. */
const PAGE = 1_000;

/** Milliseconds before the next attempt. */
const RETRY_PAUSE = 50;

/** The part of the bound that has to be left for another attempt. */
const SHORTEST_ATTEMPT = 0.1;

/**
 * The members of an etcd cluster, one of them in use. A member that fails is left, its channel thrown
 * away, and the next one tried: no operation waits for a channel to come back to life.
 */
export class EtcdClient {
  readonly #connection: EtcdConnection;
  readonly #endpoints: readonly string[];
  readonly #timeout: number;
  #turn = 0;
  #client: etcd.Etcd3 | undefined;
  #closed = false;

  constructor(connection: EtcdConnection, timeout: number) {
    this.#connection = connection;
    this.#endpoints = connection.endpoints ?? ["http://127.0.0.1:2379"];
    this.#timeout = timeout;
    if (this.#endpoints.length === 0) {
      throw new KiteError(
        "configError",
        "endpoints: [] is not right; it takes an etcd member's URL",
      );
    }
  }

  /** True after `close`. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Reads the keys from `key` up to, not including, `end`; one key without it. Sorted by key. */
  async range(
    what: string,
    request: { key: string; end?: string; limit?: number; keysOnly?: boolean },
    options: OperationOptions | undefined,
  ): Promise<EtcdRange> {
    const entries: EtcdEntry[] = [];
    const { end, limit = Infinity, keysOnly = false } = request;
    let { key } = request;
    let revision = "0";
    for (;;) {
      const answer = await this.run(what, options, ({ kv }, call) =>
        kv.range({
          key: bytes(key),
          ...(end !== undefined && { range_end: bytes(end) }),
          limit: Math.min(limit - entries.length, PAGE),
          keys_only: keysOnly,
          // Every page shows the state that the first one did.
          revision,
        }, call));
      if (revision === "0") revision = answer.header.revision;
      entries.push(...answer.kvs.map(toEntry));
      const last = entries.at(-1);
      if (!answer.more || entries.length >= limit || last === undefined) {
        return { entries, revision };
      }
      key = `${last.key}\0`;
    }
  }

  /** Runs `work` on a member, and on the next one while there is time and it might help. */
  async run<T>(
    what: string,
    options: OperationOptions | undefined,
    work: (client: etcd.Etcd3, call: { deadline: number }) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(options, what);
    const end = performance.now() + this.#timeout;
    const longest = this.#timeout / Math.min(this.#endpoints.length + 1, 3);
    for (;;) {
      if (this.#closed) throw closedError(what);
      const client = this.#client ??= this.#connect();
      const timeout = Math.ceil(Math.min(longest, end - performance.now()));
      try {
        const bound = { kind: "etcd", what, timeout, options } as const;
        return await bounded(bound, work(client, { deadline: Date.now() + timeout }));
      } catch (error) {
        if (this.#closed) throw closedError(what);
        if (!isPassing(error)) throw toStorageError(what, error);
        this.leave(client);
        if (end - performance.now() < this.#timeout * SHORTEST_ATTEMPT) {
          throw toStorageError(what, error);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE));
    }
  }

  /** Gives the member up that is in use, if it is still `client`. */
  leave(client: etcd.Etcd3): void {
    if (client !== this.#client) return;
    this.#turn++;
    this.#client = undefined;
    client.close();
  }

  /** Closes the channel. */
  close(): void {
    this.#closed = true;
    this.#client?.close();
    this.#client = undefined;
  }

  #connect(): etcd.Etcd3 {
    const { username, password = "" } = this.#connection;
    const hosts = this.#endpoints[this.#turn % this.#endpoints.length] ?? "";
    return new etcd.Etcd3({
      hosts,
      // What to do about a fault is decided here, not in the driver.
      faultHandling: { host: () => noop, global: noop },
      grpcOptions: {
        "grpc.max_receive_message_length": -1,
        "grpc.initial_reconnect_backoff_ms": 100,
        "grpc.max_reconnect_backoff_ms": 1_000,
      },
      ...(username !== undefined && { auth: { username, password } }),
    });
  }
}

/** Text as etcd keeps it. */
export function bytes(text: string): EtcdBytes {
  // The driver takes any bytes, its types ask for Node's own.
  return new TextEncoder().encode(text) as EtcdBytes;
}

/** The first key after all that begin with `prefix`, which ends with "/". */
export function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

/** A key and its value from an answer. */
export function toEntry(kv: etcd.IKeyValue): EtcdEntry {
  const decoder = new TextDecoder();
  return {
    key: decoder.decode(kv.key),
    value: decoder.decode(kv.value),
    lease: kv.lease,
    revision: kv.mod_revision,
  };
}

/** Whatever etcd3 threw, as an error of the storage. */
export function toStorageError(what: string, error: unknown): KiteError {
  if (error instanceof KiteError) return error;
  const reason = `could not ${what}: ${messageOf(error)}`;
  if (error instanceof etcd.GRPCDeadlineExceededError) {
    return storageError("etcd", "timeout", reason, error);
  }
  return storageError("etcd", isPassing(error) ? "unreachable" : "failed", reason, error);
}

function isPassing(error: unknown): boolean {
  if (error instanceof KiteError) return error.code === "timeout";
  return PASSING_ERRORS.some((type) => error instanceof type);
}

function closedError(what: string): KiteError {
  return storageError("etcd", "closed", `could not ${what}: it is closed`);
}
