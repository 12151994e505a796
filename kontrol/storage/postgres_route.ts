import type postgres from "postgres";
import { checkPort, type Checks, checkSecret, checkWord } from "../../src/config_values.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { isAllowed } from "../../src/runtime/platform.ts";
import { bounded } from "./failure.ts";
import { loadOptional } from "./load_optional.ts";

/** How to reach a PostgreSQL server. */
export interface PostgresConnection {
  /**
   * The host name or address of the server, or the directory of its Unix socket, such as
   * `/var/run/postgresql`. The server may be a PgBouncer, in any pool mode.
   *
   * @default "localhost"
   */
  readonly host?: string;
  /**
   * The port of the server.
   *
   * @default 5432
   */
  readonly port?: number;
  /** The role to log in as. */
  readonly username: string;
  /**
   * The password of the role.
   *
   * @default ""
   */
  readonly password?: string;
  /** The name of the database. */
  readonly database: string;
  /**
   * The encryption: none, TLS without verification of the certificate, or TLS with a certificate that
   * must be valid for the host.
   *
   * @default "disable"
   */
  readonly tls?: "disable" | "require" | "verify-full";
}

/** The checks of {@linkcode PostgresConnection}. */
export const CONNECTION_CHECKS: Checks<PostgresConnection> = Object.freeze({
  host: checkSecret,
  port: checkPort,
  username: checkSecret,
  password: checkSecret,
  database: checkSecret,
  tls: checkWord(["disable", "require", "verify-full"]),
});

/** The driver's connection pool. */
export type Sql = ReturnType<typeof postgres>;

/** The options of {@linkcode connect}. */
interface ConnectOptions {
  /** Maximum number of connections. */
  readonly connections: number;
  /** Milliseconds. */
  readonly timeout: number;
  /** Without it, only settings that every server and pooler accepts are used. */
  readonly route?: PostgresRoute;
  readonly onNotify?: (payload: string) => void;
  readonly onClose?: () => void;
}

/** The detected properties of the connection to a server. */
interface PostgresRoute {
  /**
   * True if there is a pooler such as PgBouncer. Statements may then run in different server sessions,
   * so prepared statements, session settings and LISTEN do not work.
   */
  readonly isPooled: boolean;
  /** The time zone of every session, see {@linkcode ROUTE}. */
  readonly timeZone: string;
}

/** Seconds before a reconnect. */
const RECONNECT_PAUSE = 0.05;

/**
 * Creates a connection pool; connections open on the first statement. The driver is loaded on demand,
 * since the other storages work without it.
 */
async function connect(connection: PostgresConnection, options: ConnectOptions): Promise<Sql> {
  const { default: postgres } = await loadOptional("postgres", () => import("postgres"));
  const { host = "localhost", port = 5432, username, password = "", database } = connection;
  const { tls = "disable" } = connection;
  const { connections, timeout, route, onNotify, onClose } = options;
  // All settings are given, since the driver reads missing ones from the environment (and always reads
  // PGAPPNAME and PGTARGETSESSIONATTRS).
  const settings = {
    host,
    port,
    username,
    // A function, since the driver would replace an empty string by one from the environment.
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
    prepare: route?.isPooled === false,
    debug: false,
    fetch_types: false,
    publications: "",
    onnotice: () => {},
    onclose: () => onClose?.(),
    onnotify: (_channel: string, payload: string) => onNotify?.(payload),
    connection: {
      application_name: "kontrol",
      ...(route !== undefined && { TimeZone: route.timeZone }),
      // A pooler rejects settings that it cannot track per client.
      ...(route?.isPooled === false && { statement_timeout: timeout }),
    },
  };
  return postgres(settings);
}

// The schema's timestamps depend on the time zone of the session, so all sessions must use the same
// one: that of the database or server, as a Go Kontrol does, not one set by a role or a pooler. If such
// a setting hides the server's own time zone, log_timezone is used instead.
const ROUTE = `select pg_catalog.pg_backend_pid() as pid, coalesce(
  (select substr(entry, strpos(entry, '=') + 1)
    from pg_catalog.pg_db_role_setting s, unnest(s.setconfig) entry
    where s.setrole = 0 and lower(entry) like 'timezone=%' and s.setdatabase in (0,
      (select oid from pg_catalog.pg_database where datname = current_database()))
    order by s.setdatabase desc limit 1),
  case when source in ('user', 'database user', 'client', 'override', 'session')
    then current_setting('log_timezone') else setting end) as zone
  from pg_catalog.pg_settings where name = 'TimeZone'`;

/** Checks the permission first, since the driver would throw an error that cannot be caught. */
function checkSocketPermission({ host = "", port = 5432 }: PostgresConnection): void {
  const path = `${host}/.s.PGSQL.${port}`;
  if (!host.startsWith("/") || isAllowed({ name: "net", host: `unix:${path}` })) return;
  throw new KiteError(
    "configError",
    `Cannot connect to the socket ${path}: Deno needs --allow-net for "unix:${path}"`,
  );
}

/** A server. On first use, detects whether there is a pooler. */
export class PostgresServer {
  /** How to reach the server. */
  readonly connection: PostgresConnection;
  readonly #timeout: number;
  #route: PostgresRoute | undefined;
  #finding: Promise<PostgresRoute> | undefined;

  /** @param timeout milliseconds after which an operation fails */
  constructor(connection: PostgresConnection, timeout: number) {
    this.connection = connection;
    this.#timeout = timeout;
  }

  /** True if there is no pooler, so that `LISTEN` works; false before the first connection. */
  get canListen(): boolean {
    return this.#route?.isPooled === false;
  }

  /** Creates a connection pool with the settings that the server or pooler supports. */
  async connect(options: Omit<ConnectOptions, "route" | "timeout">): Promise<Sql> {
    const route = this.#route ?? await this.#find();
    return await connect(this.connection, { ...options, timeout: this.#timeout, route });
  }

  #find(): Promise<PostgresRoute> {
    checkSocketPermission(this.connection);
    return this.#finding ??= findRoute(this.connection, this.#timeout)
      .then((route) => this.#route = route)
      .finally(() => this.#finding = undefined);
  }
}

/** Detects the properties of a server by a temporary connection. */
async function findRoute(
  connection: PostgresConnection,
  timeout: number,
): Promise<PostgresRoute> {
  const sql = await connect(connection, { connections: 1, timeout });
  const end = (): Promise<void> => sql.end({ timeout: 0 });
  const giveUp = (): void => void end().catch(() => {});
  const bound = { kind: "postgres", what: "open a connection", timeout, giveUp } as const;
  try {
    const rows = await bounded({ ...bound, options: undefined }, sql.unsafe(ROUTE));
    // The startup message has the pooler's process ID, if there is one; the statement has the server's.
    const { pid } = rows.state as { pid: number };
    return { isPooled: pid !== Number(rows[0]?.pid), timeZone: String(rows[0]?.zone) };
  } finally {
    giveUp();
  }
}
