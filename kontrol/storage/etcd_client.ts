import { KiteError } from "../../src/protocol/errors.ts";
import { quote } from "../../src/protocol/quote.ts";
import { EtcdGateway } from "./etcd_gateway.ts";
import {
  type EtcdCall,
  type EtcdConnection,
  type EtcdEntry,
  EtcdFailure,
  type EtcdMember,
} from "./etcd_member.ts";
import { bounded, messageOf, storageError, throwIfAborted } from "./failure.ts";
import { loadOptional } from "./load_optional.ts";
import type { OperationOptions } from "./storage.ts";

/** Some keys, and the revision at which they were read. */
export interface EtcdRange {
  readonly entries: EtcdEntry[];
  readonly revision: string;
}

/** Keys read at once. */
const PAGE = 1_000;

/** Milliseconds before the next attempt. */
const RETRY_PAUSE = 50;

/** The part of the bound that has to be left for another attempt. */
const SHORTEST_ATTEMPT = 0.1;

/**
 * The members of an etcd cluster, one of them in use. A member that fails is left, its connections
 * thrown away, and the next one tried: no operation waits for a connection to come back to life.
 */
export class EtcdClient {
  readonly #connection: EtcdConnection;
  readonly #endpoints: readonly string[];
  readonly #timeout: number;
  #turn = 0;
  #member: EtcdMember | undefined;
  /** True once any member has answered: from then on, an outage is waited out. */
  #hasAnswered = false;
  #closed = false;

  constructor(connection: EtcdConnection, timeout: number) {
    this.#connection = connection;
    this.#endpoints = (connection.endpoints ?? ["http://127.0.0.1:2379"]).map(checkEndpoint);
    this.#timeout = timeout;
    if (this.#endpoints.length === 0) {
      throw new KiteError("configError", "Cannot use endpoints []: it takes an etcd member's URL");
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
    const { limit = Infinity } = request;
    let { key } = request;
    let revision = "0";
    for (;;) {
      const page = await this.run(what, options, (member, call) =>
        member.range({
          ...request,
          key,
          limit: Math.min(limit - entries.length, PAGE),
          // Every page shows the state that the first one did.
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
   * Runs `work` on a member, and on the next one while there is time and it might help. Until the
   * first answer of any member, it gives up as soon as each of them has refused the connection.
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
      const member = await this.#inUse(what);
      const timeout = Math.ceil(Math.min(longest, end - performance.now()));
      try {
        const bound = { kind: "etcd", what, timeout, options } as const;
        const answer = await bounded(bound, work(member, { timeout }));
        this.#hasAnswered = true;
        return answer;
      } catch (error) {
        if (this.#closed) throw closedError(what);
        if (!isPassing(error)) throw this.failure(what, error);
        this.leave(member);
        if (error instanceof EtcdFailure && error.isRefused) refusals.push(error.message);
        if (!this.#hasAnswered && refusals.length >= this.#endpoints.length) {
          const reason = `no member of etcd answers (${refusals.join("; ")})`;
          throw storageError("etcd", "unreachable", `could not ${what}: ${reason}`, error);
        }
        if (end - performance.now() < this.#timeout * SHORTEST_ATTEMPT) {
          throw this.failure(what, error);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE));
    }
  }

  /** Leaves the member that is in use, if it is still this one. */
  leave(member: EtcdMember): void {
    if (member !== this.#member) return;
    this.#turn++;
    this.#member = undefined;
    member.close();
  }

  /** Ends every call and watch, and closes the connections. */
  close(): void {
    this.#closed = true;
    this.#member?.close();
    this.#member = undefined;
  }

  /** Whatever was thrown, as an error of the storage. */
  failure(what: string, error: unknown): KiteError {
    if (error instanceof KiteError) return error;
    const code = error instanceof EtcdFailure ? error.code : "failed";
    return storageError("etcd", code, `could not ${what}: ${messageOf(error)}`, error);
  }

  async #inUse(what: string): Promise<EtcdMember> {
    const endpoint = this.#endpoints[this.#turn % this.#endpoints.length] ?? "";
    if (this.#connection.protocol === "grpc") {
      // The driver reads files as soon as it is imported, so it is imported only when it is wanted.
      const { EtcdGrpc } = await loadOptional("etcd3", () => import("./etcd_grpc.ts"));
      if (this.#closed) throw closedError(what);
      return this.#member ??= new EtcdGrpc(endpoint, this.#connection);
    }
    if (this.#closed) throw closedError(what);
    return this.#member ??= new EtcdGateway(endpoint, this.#connection);
  }
}

/** The first key after all that begin with `prefix`, which ends with "/". */
export function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

function isPassing(error: unknown): boolean {
  if (error instanceof KiteError) return error.code === "timeout";
  return error instanceof EtcdFailure && error.code !== "failed";
}

/** @throws {KiteError} `configError`; a password in the URL is not repeated. */
function checkEndpoint(endpoint: string): string {
  const accepted = "it takes http://host:port or https://host:port";
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.username || url?.password) {
    throw new KiteError(
      "configError",
      `Cannot use an etcd endpoint with credentials: ${accepted}, and username and password apart`,
    );
  }
  const isRight = url !== undefined && ["http:", "https:"].includes(url.protocol) &&
    url.pathname === "/" && url.search === "" && url.hash === "";
  if (isRight) return url.origin;
  throw new KiteError(
    "configError",
    `Cannot use the etcd endpoint ${quote(endpoint)}: ${accepted}`,
  );
}

function closedError(what: string): KiteError {
  return storageError("etcd", "closed", `could not ${what}: it is closed`);
}
