import { programOf } from "../../tools/parts.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { type TestPostgres, unprivileged } from "./postgres.ts";

const START_MS = 15_000;

/** A real PgBouncer before a server of a test. What is not named here is as it comes. */
export class TestPgBouncer implements AsyncDisposable {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly #file: string;
  readonly #process: Deno.ChildProcess;

  private constructor(port: number, file: string, process: Deno.ChildProcess) {
    this.port = port;
    this.#file = file;
    this.#process = process;
  }

  /**
   * Starts one; every database of the server can be reached through it, by anybody.
   * @param settings further lines of its section `[pgbouncer]`
   */
  static async start(server: TestPostgres, ...settings: string[]): Promise<TestPgBouncer> {
    const program = programOf("pgbouncer");
    if (program === undefined) throw new Error("there is no PgBouncer here");
    const port = freePort();
    const file = await Deno.makeTempFile({ prefix: "kite_pgbouncer_", suffix: ".ini" });
    const { host, port: serverPort, username } = server;
    await Deno.writeTextFile(
      file,
      [
        "[databases]",
        `* = host=${host} port=${serverPort} user=${username}`,
        "[pgbouncer]",
        "listen_addr = 127.0.0.1",
        `listen_port = ${port}`,
        "unix_socket_dir =",
        "auth_type = any",
        ...settings,
      ].join("\n"),
    );
    await Deno.chmod(file, 0o644);
    const [command, args] = unprivileged(program, [file]);
    // What it says is not read: a line amid a test would look like a leak of that test.
    const process = new Deno.Command(command, {
      args,
      cwd: "/",
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const bouncer = new TestPgBouncer(port, file, process);
    try {
      await eventually(async () => {
        (await Deno.connect({ hostname: bouncer.host, port })).close();
        return true;
      }, { withinMs: START_MS, what: "a PgBouncer that listens" });
    } catch (error) {
      await bouncer[Symbol.asyncDispose]();
      throw error;
    }
    return bouncer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#process.status;
    await Deno.remove(this.#file);
  }
}
