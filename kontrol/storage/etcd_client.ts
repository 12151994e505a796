import type * as etcd from "etcd3";
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

/** The driver. It reads files as soon as it is imported, so that has to wait until it is needed. */
interface Driver {
  readonly Etcd3: typeof etcd.Etcd3;
  /** Leaves all faults to us. */
  readonly policy: typeof import("cockatiel").noop;
  /** What can pass by itself: another member, or the same one a moment later, may well do it. */
  readonly passing: readonly (new (...args: never[]) => Error)[];
  readonly deadline: typeof etcd.GRPCDeadlineExceededError;
}

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
  #driver: Driver | undefined;
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
      const driver = this.#driver ?? await this.#load(what);
      if (this.#closed) throw closedError(what);
      const client = this.#client ??= this.#connect(driver);
      const timeout = Math.ceil(Math.min(longest, end - performance.now()));
      try {
        const bound = { kind: "etcd", what, timeout, options } as const;
        return await bounded(bound, work(client, { deadline: Date.now() + timeout }));
      } catch (error) {
        if (this.#closed) throw closedError(what);
        if (!this.#isPassing(error)) throw this.failure(what, error);
        this.leave(client);
        if (end - performance.now() < this.#timeout * SHORTEST_ATTEMPT) {
          throw this.failure(what, error);
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

  /** Whatever the driver threw, as an error of the storage. */
  failure(what: string, error: unknown): KiteError {
    if (error instanceof KiteError) return error;
    const reason = `could not ${what}: ${messageOf(error)}`;
    const isLate = this.#driver !== undefined && error instanceof this.#driver.deadline;
    const code = isLate ? "timeout" : this.#isPassing(error) ? "unreachable" : "failed";
    return storageError("etcd", code, reason, error);
  }

  #isPassing(error: unknown): boolean {
    if (error instanceof KiteError) return error.code === "timeout";
    return this.#driver?.passing.some((type) => error instanceof type) ?? false;
  }

  async #load(what: string): Promise<Driver> {
    try {
      this.#driver ??= await loadDriver();
      return this.#driver;
    } catch (error) {
      throw this.failure(what, error);
    }
  }

  #connect({ Etcd3, policy }: Driver): etcd.Etcd3 {
    const { username, password = "" } = this.#connection;
    const hosts = this.#endpoints[this.#turn % this.#endpoints.length] ?? "";
    return new Etcd3({
      hosts,
      // What to do about a fault is decided here, not in the driver.
      faultHandling: { host: () => policy, global: policy },
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

async function loadDriver(): Promise<Driver> {
  const [driver, { noop }] = await Promise.all([import("etcd3"), import("cockatiel")]);
  return {
    Etcd3: driver.Etcd3,
    policy: noop,
    passing: [
      driver.GRPCUnavailableError,
      driver.GRPCDeadlineExceededError,
      driver.GRPCCancelledError,
      driver.GRPCInternalError,
      driver.GRPCUnknownError,
      driver.GRPCAbortedError,
      driver.ClientClosedError,
    ],
    deadline: driver.GRPCDeadlineExceededError,
  };
}

function closedError(what: string): KiteError {
  return storageError("etcd", "closed", `could not ${what}: it is closed`);
}
