import postgres from "postgres";
import { KiteError } from "../../src/protocol/errors.ts";
import { bounded, messageOf, storageError, throwIfAborted } from "./failure.ts";
import type { OperationOptions } from "./storage.ts";

/** How to reach a PostgreSQL server. Go's names for these are `KONTROL_POSTGRES_HOST` and so on. */
export interface PostgresConnection {
  /** The server's name or address. @default "localhost" */
  readonly host?: string;
  /** The server's port. @default 5432 */
  readonly port?: number;
  /** The role. */
  readonly username: string;
  /** Its password. @default "" */
  readonly password?: string;
  /** The database. */
  readonly database: string;
  /**
   * Whether to encrypt: not at all, without a look at the certificate, or with a certificate that is
   * valid for the host.
   * @default "disable"
   */
  readonly tls?: "disable" | "require" | "verify-full";
}

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

type Sql = ReturnType<typeof postgres>;

/** SQLSTATE classes: connection exception, insufficient resources, operator intervention. */
const UNREACHABLE_CLASSES: readonly string[] = ["08", "53", "57"];

const UNREACHABLE_CODES: readonly string[] = [
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "ENOENT",
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
  readonly #connection: PostgresConnection;
  readonly #options: PostgresClientOptions;
  #sql: Sql | undefined;
  #answeredAt = 0;
  #closed = false;

  constructor(connection: PostgresConnection, options: PostgresClientOptions) {
    this.#connection = connection;
    this.#options = options;
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
      const sql = this.#sql ??= this.#connect();
      const query = sql.unsafe(statement, [...values], { prepare: true });
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

  #connect(): Sql {
    const { host = "localhost", port = 5432, username, password = "", database, tls = "disable" } =
      this.#connection;
    const { connections, timeout, onNotify, onClose } = this.#options;
    // Every setting that may be given is, so that the driver does not look for it in the environment
    // (two it always looks for: PGAPPNAME and PGTARGETSESSIONATTRS).
    const settings = {
      host,
      port,
      username,
      // A function, as for an empty text the driver would look elsewhere.
      password: () => password,
      database,
      target_session_attrs: undefined,
      ssl: tls === "disable" ? false : tls,
      sslnegotiation: null,
      max: connections,
      idle_timeout: undefined,
      connect_timeout: timeout / 1_000,
      max_lifetime: null,
      max_pipeline: 100,
      backoff: () => RECONNECT_PAUSE,
      keep_alive: 30,
      prepare: true,
      debug: false,
      fetch_types: false,
      publications: "",
      onnotice: () => {},
      onclose: () => onClose?.(),
      onnotify: (_channel: string, payload: string) => onNotify?.(payload),
      connection: { application_name: "kontrol", statement_timeout: timeout },
    };
    return postgres(settings);
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
    return isUnreachable
      ? storageError("postgres", "unreachable", `could not ${what}: ${reason}`, cause)
      : storageError("postgres", "failed", `could not ${what}: ${reason}`, cause);
  }
}

/** Seconds between the end of a connection and the next attempt to open it. */
const RECONNECT_PAUSE = 0.05;

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
