// deno-lint-ignore no-import-prefix -- few users need the package, so deno.json does not import it
import type * as etcd from "npm:etcd3@^1.1.2";
import { builtinModule } from "../../src/runtime/platform.ts";
import {
  type EtcdCall,
  type EtcdChanges,
  type EtcdConnection,
  type EtcdEntry,
  EtcdFailure,
  type EtcdMember,
  type EtcdOutcome,
  type EtcdPage,
  type EtcdRangeRequest,
  type EtcdStep,
  type EtcdTransaction,
  type EtcdWatch,
  type EtcdWatchListener,
} from "./etcd_member.ts";
import { reasonOf } from "./failure.ts";

type WatchStream = Awaited<ReturnType<etcd.WatchClient["watch"]>>;
type Bytes = NonNullable<etcd.IRangeRequest["key"]>;

/** The versions of the npm package etcd3 that can be used, as in the import above. */
export const ETCD3_RANGE = "^1.1.2";

/** The npm package etcd3. */
export type EtcdDriver = typeof etcd;

type Policy = NonNullable<NonNullable<etcd.IOptions["faultHandling"]>["global"]>;

/** A client for one member by gRPC, through the npm package etcd3. */
export class EtcdGrpc implements EtcdMember {
  readonly #driver: EtcdDriver;
  readonly #client: etcd.Etcd3;
  readonly #watches = new Set<WatchStream>();

  constructor(driver: EtcdDriver, endpoint: string, connection: EtcdConnection) {
    this.#driver = driver;
    const { username, password = "", ca, cert, key } = connection;
    this.#client = new driver.Etcd3({
      hosts: endpoint,
      // EtcdClient handles failures, so the driver must not.
      faultHandling: { host: () => NO_POLICY, global: NO_POLICY },
      grpcOptions: {
        "grpc.max_receive_message_length": -1,
        "grpc.initial_reconnect_backoff_ms": 100,
        "grpc.max_reconnect_backoff_ms": 1_000,
      },
      ...(username !== undefined && { auth: { username, password } }),
      ...(ca !== undefined && {
        credentials: {
          rootCertificate: buffer(ca),
          ...(cert !== undefined && key !== undefined &&
            { certChain: buffer(cert), privateKey: buffer(key) }),
        },
      }),
    });
  }

  async range(request: EtcdRangeRequest, call: EtcdCall): Promise<EtcdPage> {
    const { key, end, limit = 0, keysOnly = false, revision = "0", newestFirst } = request;
    const answer = await this.#attempt(this.#client.kv.range({
      key: bytes(key),
      ...(end !== undefined && { range_end: bytes(end) }),
      limit,
      keys_only: keysOnly,
      revision,
      ...(newestFirst && { sort_target: "Create", sort_order: "Descend" }),
    }, options(call)));
    const { kvs, more, header } = answer;
    return { entries: kvs.map(toEntry), more, revision: header.revision };
  }

  async transact(transaction: EtcdTransaction, call: EtcdCall): Promise<EtcdOutcome> {
    const { conditions = [], steps, otherwise = [] } = transaction;
    const compare: etcd.ICompare[] = conditions.map((condition) => {
      const key = bytes(condition.key);
      return "changedAt" in condition
        ? { key, target: "Mod", result: "Equal", mod_revision: condition.changedAt }
        : { key, target: "Create", result: "Equal", create_revision: condition.createdAt };
    });
    const answer = await this.#attempt(this.#client.kv.txn({
      compare,
      success: steps.map(toRequest),
      failure: otherwise.map(toRequest),
    }, options(call)));
    const { succeeded, responses, header } = answer;
    const read = responses.map(({ response_range }) => (response_range?.kvs ?? []).map(toEntry));
    return { succeeded, read, revision: header.revision };
  }

  async grantLease(seconds: number, call: EtcdCall): Promise<string> {
    return (await this.#attempt(
      this.#client.leaseClient.leaseGrant({ TTL: seconds }, options(call)),
    )).ID;
  }

  async keepAlive(leases: readonly string[], call: EtcdCall): Promise<Set<string>> {
    const gone = new Set<string>();
    if (leases.length === 0) return gone;
    const stream = await this.#attempt(this.#client.leaseClient.leaseKeepAlive(options(call)));
    try {
      await this.#attempt(
        new Promise<void>((resolve, reject) => {
          let waiting = leases.length;
          stream.on("data", ({ ID, TTL }) => {
            if (Number(TTL) <= 0) gone.add(ID);
            if (--waiting === 0) resolve();
          });
          stream.on("error", reject);
          stream.on("end", () => reject(new Error("the stream ended before every answer")));
          for (const ID of leases) stream.write({ ID });
        }),
      );
      stream.end();
    } catch (error) {
      stream.cancel();
      throw error;
    }
    return gone;
  }

  async watch(
    { key, end, since }: { key: string; end: string; since: number },
    listener: EtcdWatchListener,
  ): Promise<EtcdWatch> {
    const stream = await this.#attempt(this.#client.watchClient.watch());
    this.#watches.add(stream);
    let isStopped = false;
    const lost = (error: Error): void => {
      if (isStopped) return;
      isStopped = true;
      this.#watches.delete(stream);
      listener.onLost(this.#toFailure(error));
    };
    // Also handles errors after a stop, which would otherwise be uncaught.
    stream.on("error", lost);
    stream.on("end", () => lost(new Error("the stream of changes ended")));
    stream.on("data", (answer) => {
      if (!isStopped) listener.onChanges(toChanges(answer));
    });
    const range = { key: bytes(key), range_end: bytes(end), start_revision: since };
    stream.write({ create_request: range });
    const stop = (): void => {
      isStopped = true;
      if (this.#watches.delete(stream)) cancel(stream);
    };
    return { stop };
  }

  close(): void {
    for (const stream of this.#watches) cancel(stream);
    this.#watches.clear();
    this.#client.close();
  }

  async #attempt<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      throw this.#toFailure(error);
    }
  }

  #toFailure(error: unknown): EtcdFailure {
    const driver = this.#driver;
    const message = reasonOf(error);
    if (error instanceof driver.GRPCDeadlineExceededError) {
      return new EtcdFailure("timeout", message);
    }
    return new EtcdFailure(
      TEMPORARY.some((name) => error instanceof driver[name]) ? "unreachable" : "failed",
      message,
      /ECONNREFUSED/.test(message),
    );
  }
}

/** Ends the stream first; otherwise the driver would mark the member as broken. */
function cancel(stream: WatchStream): void {
  stream.end();
  stream.cancel();
}

function options({ timeout }: EtcdCall): { deadline: number } {
  return { deadline: Date.now() + timeout };
}

function bytes(text: string): Bytes {
  // The driver accepts any bytes, although its types ask for a Buffer.
  return new TextEncoder().encode(text) as Bytes;
}

/** Certificates must be a Node.js Buffer. */
function buffer(text: string): Bytes {
  const { Buffer } = builtinModule("node:buffer") ?? {};
  if (Buffer === undefined) throw new EtcdFailure("failed", "this runtime has no node:buffer");
  return Buffer.from(text);
}

function toRequest(step: EtcdStep): etcd.IRequestOp {
  if ("put" in step) {
    const { put, value, lease = "0" } = step;
    return { request_put: { key: bytes(put), value: bytes(value), lease } };
  }
  if ("delete" in step) return { request_delete_range: { key: bytes(step.delete) } };
  return { request_range: { key: bytes(step.read), keys_only: step.keysOnly ?? false } };
}

function toEntry({ key, value, lease, mod_revision }: etcd.IKeyValue): EtcdEntry {
  const decoder = new TextDecoder();
  return { key: decoder.decode(key), value: decoder.decode(value), lease, revision: mod_revision };
}

function toChanges(answer: etcd.IWatchResponse): EtcdChanges {
  const changes = answer.events.map(({ type, kv }) => {
    return { isDeletion: type === "Delete", entry: toEntry(kv) };
  });
  const { revision } = answer.header;
  return answer.canceled
    ? { revision, changes, cancelled: answer.cancel_reason }
    : { revision, changes };
}

/** The names of the errors after which a retry may succeed, at this member or another. */
const TEMPORARY = [
  "GRPCUnavailableError",
  "GRPCCancelledError",
  "GRPCInternalError",
  "GRPCUnknownError",
  "GRPCAbortedError",
  "ClientClosedError",
] as const;

const NEVER = new AbortController().signal;

/** A policy that only runs the work. */
const NO_POLICY = {
  execute: async (work, signal = NEVER) => await work({ signal }),
} as Policy;
