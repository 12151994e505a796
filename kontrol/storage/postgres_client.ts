import { KiteError } from "../../src/protocol/errors.ts";
import { bounded, messageOf, storageError, throwIfAborted } from "./failure.ts";
import type { PostgresServer, Sql } from "./postgres_route.ts";
import type { OperationOptions } from "./storage.ts";

/** A row of an answer, by the names of its columns. Numbers of 64 bits come as text. */
export type PostgresRow = Readonly<Record<string, unknown>>;

/** A value for one `$n` of a statement. */
export type PostgresValue = string | number | boolean | null;

/** What {@linkcode PostgresClient} takes beside where the server is. */
export interface PostgresClientOptions {
  /** Connections at the same time. */
  readonly connections: number;
  /** Milliseconds after which an operation has failed. */
  readonly timeout: number;
  /** Hears `NOTIFY`, once a connection said `LISTEN`. */
  readonly onNotify?: (payload: string) => void;
  /** Called when a connection has closed, for whatever reason. */
  readonly onClose?: () => void;
}

/** SQLSTATE classes: connection exception, insufficient resources, operator intervention. */
const UNREACHABLE_CLASSES: readonly string[] = ["08", "53", "57"];

/** No connection came about. */
const ABSENT_CODES: readonly string[] = ["ECONNREFUSED", "ENOTFOUND", "ENOENT"];

const UNREACHABLE_CODES: readonly string[] = [
  "ECONNRESET",
  "EPIPE",
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED",
];

/**
 * Connections to a PostgreSQL server, opened when needed. Every statement ends within the bound. When
 * one got no answer and nothing else did since it began, the connections are taken for dead and given
 * up: the next statement opens new ones.
 */
export class PostgresClient {
  readonly #server: PostgresServer;
  readonly #options: PostgresClientOptions;
  #sql: Sql | undefined;
  #answeredAt = 0;
  #closed = false;

  constructor(server: PostgresServer, options: PostgresClientOptions) {
    this.#server = server;
    this.#options = options;
  }

  /** True if the sessions are ours alone, as `LISTEN` needs; false before the first answer. */
  get canListen(): boolean {
    return this.#server.canListen;
  }

  /**
   * Runs one statement.
   * @param what it does, for the error: "read the registrations".
   */
  async query(
    what: string,
    statement: string,
    values: readonly PostgresValue[] = [],
    options?: OperationOptions,
  ): Promise<PostgresRow[]> {
    throwIfAborted(options, what);
    if (this.#closed) throw closedError(what);
    const begin = performance.now();
    try {
      const sql = this.#sql ?? await this.#open();
      const query = sql.unsafe(statement, [...values], { prepare: this.canListen });
      const giveUp = (): void => this.#giveUp(sql, begin, options?.signal);
      const { timeout } = this.#options;
      const rows = await bounded({ kind: "postgres", what, timeout, options, giveUp }, query);
      this.#answeredAt = performance.now();
      return rows;
    } catch (error) {
      if (this.#closed && !(error instanceof KiteError)) throw closedError(what);
      throw this.#failure(what, error);
    }
  }

  /** Closes every connection. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#sql?.end({ timeout: 0 });
  }

  /** Drops the connections; the next statement opens new ones. */
  reconnect(): void {
    const sql = this.#sql;
    this.#sql = undefined;
    // What is still waiting on them is rejected; the drivers' own goodbye may fail like anything else.
    sql?.end({ timeout: 0 }).catch(() => {});
  }

  #giveUp(sql: Sql, begin: number, signal: AbortSignal | undefined): void {
    if (signal?.aborted || this.#answeredAt > begin || sql !== this.#sql) return;
    this.reconnect();
  }

  async #open(): Promise<Sql> {
    const sql = await this.#server.connect(this.#options);
    if (this.#sql === undefined && !this.#closed) return this.#sql = sql;
    // Another statement was faster; nothing was opened yet.
    await sql.end({ timeout: 0 });
    if (this.#sql === undefined) throw new Error("it is closed");
    return this.#sql;
  }

  #failure(what: string, error: unknown): KiteError {
    if (error instanceof KiteError) return error;
    const { code, severity } = error as { code?: unknown; severity?: unknown };
    const text = typeof code === "string" ? code : "";
    // The driver's error holds the values of the statement, and so may hold a private key: what goes
    // on is its message alone.
    const reason = messageOf(error);
    const isUnreachable = UNREACHABLE_CODES.includes(text) ||
      (severity !== undefined && UNREACHABLE_CLASSES.includes(text.slice(0, 2)));
    if (text === "CONNECT_TIMEOUT" || text === STATEMENT_TIMEOUT) {
      return storageError(
        "postgres",
        "timeout",
        `could not ${what} within ${this.#options.timeout} ms`,
      );
    }
    const cause = { code: text };
    if (ABSENT_CODES.includes(text)) {
      const { host = "localhost", port = 5432 } = this.#server.connection;
      const absent = `no PostgreSQL server answers at ${host}:${port} (${reason})`;
      return storageError("postgres", "unreachable", `could not ${what}: ${absent}`, cause);
    }
    return isUnreachable
      ? storageError("postgres", "unreachable", `could not ${what}: ${reason}`, cause)
      : storageError("postgres", "failed", `could not ${what}: ${reason}`, cause);
  }
}

/** The server's answer to a statement that ran longer than its `statement_timeout`. */
const STATEMENT_TIMEOUT = "57014";

/** The SQLSTATE of an error that {@linkcode PostgresClient.query} threw, or `""`. */
export function sqlStateOf(error: unknown): string {
  const cause = error instanceof KiteError ? error.cause : undefined;
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : "";
}

function closedError(what: string): KiteError {
  return storageError("postgres", "closed", `could not ${what}: it is closed`);
}
