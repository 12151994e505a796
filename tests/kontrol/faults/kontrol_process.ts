import { Kite, type KiteOptions } from "../../../mod.ts";
import { fromFileUrl, TEST_LOCK } from "../../../tools/paths.ts";
import { freePort } from "../../support/ports.ts";
import { TestProcess } from "../../support/process.ts";

const CLOCK = new URL("./clock.ts", import.meta.url);
const PROGRAM = new URL("../../../kontrol/main.ts", import.meta.url);

/** The options of {@linkcode KontrolProcess.start}. */
export interface KontrolProcessOptions {
  /** The program's storage flags, such as `-storage=sqlite`. */
  readonly storage: readonly string[];
  /**
   * Its state and its user's kite.key go there.
   *
   * @default a folder of its own
   */
  readonly home?: string;
  /**
   * The script that is run.
   *
   * @default the program itself
   */
  readonly script?: URL;
  /** Environment variables. */
  readonly env?: Record<string, string>;
  /**
   * Minutes by which its clock is ahead.
   *
   * @default 0
   */
  readonly clock?: number;
}

/** The command that runs a script with its clock `clock` minutes ahead. */
export function denoRun(
  script: URL,
  args: readonly string[],
  clock = 0,
): { program: string; args: string[]; env: Record<string, string> } {
  const preload = clock === 0 ? [] : [`--preload=${fromFileUrl(CLOCK)}`];
  return {
    program: Deno.execPath(),
    args: ["run", "--quiet", "-A", TEST_LOCK, ...preload, fromFileUrl(script), ...args],
    env: { CLOCK: String(clock), KITE_LOG_NOCOLOR: "1" },
  };
}

/** A real Kontrol in its own process. */
export class KontrolProcess implements AsyncDisposable {
  /** The directory of its state and its user's kite.key. */
  readonly home: string;
  /** Its URL for kites. */
  readonly url: string;
  readonly #start: KontrolProcessOptions;
  readonly #port: number;
  #process: TestProcess | undefined;

  private constructor(start: KontrolProcessOptions, home: string) {
    this.#start = start;
    this.home = home;
    this.#port = freePort();
    this.url = `http://127.0.0.1:${this.#port}/kite`;
  }

  /** Starts a Kontrol, and waits until it listens. */
  static async start(start: KontrolProcessOptions): Promise<KontrolProcess> {
    const home = start.home ?? await Deno.makeTempDir({ prefix: "kite_kontrol_" });
    const kontrol = new KontrolProcess(start, home);
    try {
      await kontrol.restart();
    } catch (error) {
      await kontrol[Symbol.asyncDispose]();
      throw error;
    }
    return kontrol;
  }

  /** The base URL of its HTTP API. */
  get base(): string {
    return this.url.replace(/\/kite$/, "");
  }

  /** Restarts it with the same port and state. */
  async restart(): Promise<void> {
    await this.kill();
    const { script = PROGRAM, storage, env = {}, clock } = this.#start;
    const flags = [`-port=${this.#port}`, "-ip=127.0.0.1", `-kontrolurl=${this.url}`, ...storage];
    const command = denoRun(script, flags, clock);
    this.#process = await TestProcess.start({
      ...command,
      env: { ...command.env, ...env, KITE_HOME: this.home },
      // The program prints this line after it has written the kite.key; the log has a similar one.
      ready: (line) => /^Kontrol .*listens at /.test(line),
      startMs: 30_000,
    });
  }

  /** Kills it with SIGKILL. */
  async kill(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    await process?.kill();
  }

  /** True while the latest process has not ended. */
  async isRunning(): Promise<boolean> {
    if (this.#process === undefined) return false;
    const ended = this.#process.ended().then(() => false);
    return await Promise.race([
      ended,
      new Promise<true>((resolve) => setTimeout(resolve, 0, true)),
    ]);
  }

  /** Suspends or resumes the process. */
  freeze(isFrozen: boolean): void {
    if (this.#process === undefined) throw new Error("this Kontrol does not run");
    Deno.kill(this.#process.pid, isFrozen ? "SIGSTOP" : "SIGCONT");
  }

  /** The response of `/readyz`. */
  async ready(): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`${this.base}/readyz`, { signal: AbortSignal.timeout(20_000) });
    return { status: response.status, text: await response.text() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    await process?.stop();
    await Deno.remove(this.home, { recursive: true });
  }
}

/** A kite with the kite.key of `kontrols[0]` and the URLs of all `kontrols`. */
export function kiteOf(
  kontrols: readonly KontrolProcess[],
  name: string,
  options: KiteOptions = {},
): Kite {
  const kite = new Kite(name, "1.0.0", {
    ip: "127.0.0.1",
    port: 0,
    environment: "faults",
    kiteHome: kontrols[0]!.home,
    kontrolUrl: kontrols.map(({ url }) => url),
    logLevel: "FATAL",
    timeout: 10_000,
    ...options,
  });
  kite.handle("square", ({ args }) => args.one().number() ** 2);
  kite.handle("who", ({ username, authentication }) => `${username} by ${authentication?.type}`);
  return kite;
}

/** A registered kite. */
export interface ListedKite extends AsyncDisposable {
  readonly kite: Kite;
  readonly id: string;
  /** Its registered URL. */
  readonly url: string;
}

/** Starts a kite and registers it. */
export async function listedKite(
  kontrols: readonly KontrolProcess[],
  name: string,
  { isHttp = false, ...options }: KiteOptions & { readonly isHttp?: boolean } = {},
): Promise<ListedKite> {
  const kite = kiteOf(kontrols, name, options);
  try {
    const { url } = await kite.listen();
    await (isHttp ? kite.registerHttp(url) : kite.register(url));
    return { kite, id: kite.id, url, [Symbol.asyncDispose]: () => kite.close() };
  } catch (error) {
    await kite.close();
    throw error;
  }
}

/** The storage flags for a PostgreSQL server. */
export function postgresFlags(
  { host, port, username }: { host: string; port: number; username: string },
  database: string,
): string[] {
  return [
    "-storage=postgres",
    `-postgres-host=${host}`,
    `-postgres-port=${port}`,
    `-postgres-username=${username}`,
    `-postgres-dbname=${database}`,
  ];
}

/** The storage flags for an etcd cluster. */
export function etcdFlags({ endpoints }: { endpoints: readonly string[] }): string[] {
  return ["-storage=etcd", `-machines=${endpoints.join()}`];
}
