import { KiteError } from "../../src/protocol/errors.ts";
import { cannotUse } from "../../src/protocol/refusal.ts";
import { EtcdGateway } from "./etcd_gateway.ts";
import {
  type EtcdCall,
  type EtcdConnection,
  type EtcdEntry,
  EtcdFailure,
  type EtcdMember,
} from "./etcd_member.ts";
import { bounded, reasonOf, storageError, throwIfAborted } from "./failure.ts";
import { ETCD3_RANGE, type EtcdDriver, EtcdGrpc } from "./etcd_grpc.ts";
import { loadOptional } from "./load_optional.ts";
import type { OperationOptions } from "./storage.ts";

/** Not a literal, since Deno would download the package, which few users need, with this module. */
const ETCD3: string = "Deno" in globalThis ? `npm:etcd3@${ETCD3_RANGE}` : "etcd3";

/** The entries of a range, and the revision at which they were read. */
export interface EtcdRange {
  readonly entries: EtcdEntry[];
  readonly revision: string;
}

/** Keys read by one call. */
const PAGE = 1_000;

/** Milliseconds between two attempts. */
const RETRY_PAUSE = 50;

/** The fraction of the timeout that must remain for another attempt. */
const SHORTEST_ATTEMPT = 0.1;

/**
 * A client for an etcd cluster. It uses one member at a time. When that member fails, the client
 * closes its connections and switches to the next one, so that no operation waits for a broken
 * connection to recover.
 */
export class EtcdClient {
  readonly #connection: EtcdConnection;
  readonly #endpoints: readonly string[];
  readonly #timeout: number;
  #memberIndex = 0;
  #member: EtcdMember | undefined;
  /** True once any member has answered. From then on, operations retry until their timeout. */
  #hasAnswered = false;
  #closed = false;

  constructor(connection: EtcdConnection, timeout: number) {
    this.#connection = connection;
    this.#endpoints = (connection.endpoints ?? ["http://127.0.0.1:2379"]).map(checkEndpoint);
    this.#timeout = timeout;
    if (this.#endpoints.length === 0) {
      throw cannotUse("endpoints", "must hold the URL of at least one etcd member");
    }
  }

  /** True after `close`. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Reads the keys from `key` up to but excluding `end`, in key order; without `end`, only `key`. */
  async range(
    what: string,
    request: { key: string; end?: string; limit?: number; keysOnly?: boolean },
    options: OperationOptions | undefined,
  ): Promise<EtcdRange> {
    const entries: EtcdEntry[] = [];
    const { limit = Infinity } = request;
    let { key } = request;
    let revision = "0";
    for (;;) {
      const page = await this.run(what, options, (member, call) =>
        member.range({
          ...request,
          key,
          limit: Math.min(limit - entries.length, PAGE),
          // All pages are read at the revision of the first one.
          revision,
        }, call));
      if (revision === "0") revision = page.revision;
      entries.push(...page.entries);
      const last = entries.at(-1);
      if (!page.more || entries.length >= limit || last === undefined) {
        return { entries, revision };
      }
      key = `${last.key}\0`;
    }
  }

  /**
   * Runs `work` on a member. After a temporary failure, retries on the next member until the
   * timeout. Before the first answer from any member, gives up as soon as every member has refused
   * the connection.
   *
   * @param what the operation, for errors: `read the registrations`
   */
  async run<T>(
    what: string,
    options: OperationOptions | undefined,
    work: (member: EtcdMember, call: EtcdCall) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(options, what);
    const end = performance.now() + this.#timeout;
    const longest = this.#timeout / Math.min(this.#endpoints.length + 1, 3);
    const refusals: string[] = [];
    for (;;) {
      const member = await this.#currentMember(what);
      const timeout = Math.ceil(Math.min(longest, end - performance.now()));
      try {
        const bound = { kind: "etcd", what, timeout, options } as const;
        const answer = await bounded(bound, work(member, { timeout }));
        this.#hasAnswered = true;
        return answer;
      } catch (error) {
        if (this.#closed) throw closedError(what);
        if (!isTemporary(error)) throw this.failure(what, error);
        this.leave(member);
        if (error instanceof EtcdFailure && error.isRefused) refusals.push(error.message);
        if (!this.#hasAnswered && refusals.length >= this.#endpoints.length) {
          const reason = `no etcd member answers (${refusals.join("; ")})`;
          throw storageError("etcd", "unreachable", what, reason, error);
        }
        if (end - performance.now() < this.#timeout * SHORTEST_ATTEMPT) {
          throw this.failure(what, error);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE));
    }
  }

  /** Switches to the next member, if `member` is still the current one. */
  leave(member: EtcdMember): void {
    if (member !== this.#member) return;
    this.#memberIndex++;
    this.#member = undefined;
    member.close();
  }

  /** Ends every call and watch, and closes the connections. */
  close(): void {
    this.#closed = true;
    this.#member?.close();
    this.#member = undefined;
  }

  /** Converts anything that was thrown into a storage error. */
  failure(what: string, error: unknown): KiteError {
    if (error instanceof KiteError) return error;
    const code = error instanceof EtcdFailure ? error.code : "failed";
    return storageError("etcd", code, what, reasonOf(error), error);
  }

  async #currentMember(what: string): Promise<EtcdMember> {
    const endpoint = this.#endpoints[this.#memberIndex % this.#endpoints.length] ?? "";
    if (this.#connection.protocol === "grpc") {
      const driver = await loadOptional<EtcdDriver>("etcd3", () => import(ETCD3));
      if (this.#closed) throw closedError(what);
      return this.#member ??= new EtcdGrpc(driver, endpoint, this.#connection);
    }
    if (this.#closed) throw closedError(what);
    return this.#member ??= new EtcdGateway(endpoint, this.#connection);
  }
}

/** The end of the range of all keys that begin with `prefix`, which must end with "/". */
export function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

function isTemporary(error: unknown): boolean {
  if (error instanceof KiteError) return error.code === "timeout";
  return error instanceof EtcdFailure && error.code !== "failed";
}

/** @throws {KiteError} `configError`, without any password in the URL */
function checkEndpoint(endpoint: string): string {
  const rule = "must be http://host:port or https://host:port";
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.username || url?.password) {
    throw cannotUse(
      "etcd endpoint with credentials",
      `${rule}; use the options username and password`,
    );
  }
  const isValid = url !== undefined && ["http:", "https:"].includes(url.protocol) &&
    url.pathname === "/" && url.search === "" && url.hash === "";
  if (isValid) return url.origin;
  throw cannotUse("etcd endpoint", rule, { value: endpoint });
}

function closedError(what: string): KiteError {
  return storageError("etcd", "closed", what, "the storage is closed");
}
