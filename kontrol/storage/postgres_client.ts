import { KiteError } from "../../src/protocol/errors.ts";
import { bounded, reasonOf, storageError, throwIfAborted, timeoutError } from "./failure.ts";
import type { PostgresServer, Sql } from "./postgres_route.ts";
import type { OperationOptions } from "./storage.ts";

/** A row of a result, by column name. 64-bit numbers are strings. */
export type PostgresRow = Readonly<Record<string, unknown>>;

/** A parameter (`$n`) of a statement. */
export type PostgresValue = string | number | boolean | null;

/** The options of {@linkcode PostgresClient}. */
export interface PostgresClientOptions {
  /** Maximum number of connections. */
  readonly connections: number;
  /** Milliseconds after which a statement fails. */
  readonly timeout: number;
  /** Receives notifications after a `LISTEN`. */
  readonly onNotify?: (payload: string) => void;
  /** Called when a connection has closed, whatever the cause. */
  readonly onClose?: () => void;
}

/** SQLSTATE classes: connection exception, insufficient resources, operator intervention. */
const UNREACHABLE_CLASSES: readonly string[] = ["08", "53", "57"];

/** Codes of connections that could not be established. */
const NO_SERVER_CODES: readonly string[] = ["ECONNREFUSED", "ENOTFOUND", "ENOENT"];

const UNREACHABLE_CODES: readonly string[] = [
  "ECONNRESET",
  "EPIPE",
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED",
];

/**
 * Connections to a PostgreSQL server, opened on demand. Every statement ends within the timeout. If
 * a statement timed out and no other statement was answered since it began, the connections are
 * considered dead, and the next statement opens new ones.
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

  /** True if there is no pooler, so that `LISTEN` works; false before the first connection. */
  get canListen(): boolean {
    return this.#server.canListen;
  }

  /**
   * Runs one statement.
   *
   * @param what what it does, for errors: `read the registrations`
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
    // Pending statements are rejected. The driver's own disconnect may fail, too.
    sql?.end({ timeout: 0 }).catch(() => {});
  }

  #giveUp(sql: Sql, begin: number, signal: AbortSignal | undefined): void {
    if (signal?.aborted || this.#answeredAt > begin || sql !== this.#sql) return;
    this.reconnect();
  }

  async #open(): Promise<Sql> {
    const sql = await this.#server.connect(this.#options);
    if (this.#sql === undefined && !this.#closed) return this.#sql = sql;
    // Another statement was faster, or the client was closed; no connection is open yet.
    await sql.end({ timeout: 0 });
    if (this.#sql === undefined) throw new Error("the client is closed");
    return this.#sql;
  }

  #failure(what: string, error: unknown): KiteError {
    if (error instanceof KiteError) return error;
    const { code, severity } = error as { code?: unknown; severity?: unknown };
    const text = typeof code === "string" ? code : "";
    // The driver's error contains the parameters of the statement, possibly a private key, so only its
    // message is passed on.
    const reason = reasonOf(error);
    const isUnreachable = UNREACHABLE_CODES.includes(text) ||
      (severity !== undefined && UNREACHABLE_CLASSES.includes(text.slice(0, 2)));
    if (text === "CONNECT_TIMEOUT" || text === STATEMENT_TIMEOUT) {
      return timeoutError("postgres", what, this.#options.timeout);
    }
    const cause = { code: text };
    if (NO_SERVER_CODES.includes(text)) {
      const { host = "localhost", port = 5432 } = this.#server.connection;
      const noServer = `no PostgreSQL server answers at ${host}:${port} (${reason})`;
      return storageError("postgres", "unreachable", what, noServer, cause);
    }
    return storageError("postgres", isUnreachable ? "unreachable" : "failed", what, reason, cause);
  }
}

/** The SQLSTATE of a statement that exceeded `statement_timeout`. */
const STATEMENT_TIMEOUT = "57014";

/** The SQLSTATE of an error from {@linkcode PostgresClient.query}, or `""`. */
export function sqlStateOf(error: unknown): string {
  const cause = error instanceof KiteError ? error.cause : undefined;
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : "";
}

function closedError(what: string): KiteError {
  return storageError("postgres", "closed", what, "the storage is closed");
}
