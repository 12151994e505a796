import type postgres from "postgres";
import { KiteError } from "../../src/protocol/errors.ts";
import { isAllowed } from "../../src/runtime/host.ts";
import { bounded } from "./failure.ts";
import { loadOptional } from "./load_optional.ts";

/** How to reach a PostgreSQL server. Go's names for these are `KONTROL_POSTGRES_HOST` and so on. */
export interface PostgresConnection {
  /**
   * The server's name or address, or the directory of its Unix socket, such as
   * `/var/run/postgresql`. It may be a PgBouncer, in any of its pool modes.
   * @default "localhost"
   */
  readonly host?: string;
  /**
   * The server's port.
   *
   * @default 5432
   */
  readonly port?: number;
  /** The role. */
  readonly username: string;
  /**
   * Its password.
   *
   * @default ""
   */
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

/** Connections of the driver. */
export type Sql = ReturnType<typeof postgres>;

/** What {@linkcode connect} takes beside where the server is. */
interface ConnectOptions {
  /** Connections at the same time. */
  readonly connections: number;
  /** Milliseconds. */
  readonly timeout: number;
  /** Undefined while nothing is known: then only what every server accepts is asked for. */
  readonly route?: PostgresRoute;
  readonly onNotify?: (payload: string) => void;
  readonly onClose?: () => void;
}

/** What is known of the way to a server. */
interface PostgresRoute {
  /**
   * True if a pooler such as PgBouncer is in between. Two statements may then reach different server
   * sessions: there are no prepared statements, no settings of the session, and no LISTEN.
   */
  readonly isPooled: boolean;
  /** The time zone of every session, see {@linkcode ROUTE}. */
  readonly timeZone: string;
}

/** Seconds between the end of a connection and the next attempt to open it. */
const RECONNECT_PAUSE = 0.05;

/**
 * Creates connections, none of which is opened before the first statement. The driver is loaded on
 * demand: other storages work without it.
 */
async function connect(connection: PostgresConnection, options: ConnectOptions): Promise<Sql> {
  const { default: postgres } = await loadOptional("postgres", () => import("postgres"));
  const { host = "localhost", port = 5432, username, password = "", database } = connection;
  const { tls = "disable" } = connection;
  const { connections, timeout, route, onNotify, onClose } = options;
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
      // A pooler refuses what it cannot keep apart for its clients.
      ...(route?.isPooled === false && { statement_timeout: timeout }),
    },
  };
  return postgres(settings);
}

// The schema's timestamps mean the same to those sessions only that have the same time zone. That is
// the one of the database or server, which a Go Kontrol has too, and not one that a role or a pooler
// brings: behind those, the server's own is hidden, and that of its log stands for it.
const ROUTE = `select pg_catalog.pg_backend_pid() as pid, coalesce(
  (select substr(entry, strpos(entry, '=') + 1)
    from pg_catalog.pg_db_role_setting s, unnest(s.setconfig) entry
    where s.setrole = 0 and lower(entry) like 'timezone=%' and s.setdatabase in (0,
      (select oid from pg_catalog.pg_database where datname = current_database()))
    order by s.setdatabase desc limit 1),
  case when source in ('user', 'database user', 'client', 'override', 'session')
    then current_setting('log_timezone') else setting end) as zone
  from pg_catalog.pg_settings where name = 'TimeZone'`;

/** The driver would throw where nobody can catch it. */
function checkSocketPermission({ host = "", port = 5432 }: PostgresConnection): void {
  const path = `${host}/.s.PGSQL.${port}`;
  if (!host.startsWith("/") || isAllowed({ name: "net", host: `unix:${path}` })) return;
  throw new KiteError(
    "configError",
    `Cannot connect to the socket ${path}: Deno needs --allow-net for "unix:${path}"`,
  );
}

/** A server, and the way to it, which is found out once. */
export class PostgresServer {
  /** Where it is. */
  readonly connection: PostgresConnection;
  readonly #timeout: number;
  #route: PostgresRoute | undefined;
  #finding: Promise<PostgresRoute> | undefined;

  /** @param timeout milliseconds that an operation may take */
  constructor(connection: PostgresConnection, timeout: number) {
    this.connection = connection;
    this.#timeout = timeout;
  }

  /** True if sessions are ours alone, as `LISTEN` needs; false while that is not known. */
  get canListen(): boolean {
    return this.#route?.isPooled === false;
  }

  /** Creates connections as the way to the server allows them. */
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

/** Finds out what is on the way to the server, by a connection of its own. */
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
    // A pooler names itself when a connection begins; what answers the statement is the server.
    const { pid } = rows.state as { pid: number };
    return { isPooled: pid !== Number(rows[0]?.pid), timeZone: String(rows[0]?.zone) };
  } finally {
    giveUp();
  }
}
