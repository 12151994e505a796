/**
 * Shows discovery in a few seconds: `deno task demo`.
 *
 * It starts three processes, each with the smallest permissions that it needs: a Kontrol with its
 * embedded storage in a temporary folder, `math_register.ts`, which registers there, and
 * `exp2_query.ts`, which finds and calls it. They use free ports, and everything is removed at the
 * end.
 */
const PROJECT = `${import.meta.dirname}/..`;

/** The longest time for one step, in milliseconds. */
const STEP = 20_000;

/** A process of the demo. */
class Actor {
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  readonly #said: string[] = [];
  #listeners: ((line: string | undefined) => void)[] = [];
  readonly #ended: Promise<unknown>;

  constructor(name: string, args: readonly string[], env: Record<string, string>) {
    this.#name = name;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--quiet", ...args],
      cwd: PROJECT,
      env: { KITE_LOG_NOCOLOR: "1", NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#ended = Promise.all([this.#hear(this.#child.stdout), this.#hear(this.#child.stderr)])
      .then(() => this.#tell(undefined));
  }

  /**
   * Waits for the first line that matches.
   *
   * @throws {Error} with all lines, if none matches in time
   */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    const found = Promise.withResolvers<RegExpExecArray>();
    const fail = (why: string): void =>
      found.reject(new Error(`${this.#name} ${why}. It said:\n${this.#said.join("\n")}`));
    const look = (line: string | undefined): void => {
      const match = line === undefined ? null : pattern.exec(line);
      if (match !== null) found.resolve(match);
      else if (line === undefined) fail("ended too early");
    };
    const timer = setTimeout(() => fail(`did not get there within ${STEP / 1000} s`), STEP);
    this.#said.forEach(look);
    this.#listeners.push(look);
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks the process to end, and waits until it has ended. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.#kill("SIGKILL"), STEP / 4);
    this.#kill("SIGTERM");
    await this.#child.status;
    clearTimeout(timer);
    await this.#ended;
  }

  #kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has already ended
    }
  }

  async #hear(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      lines.forEach((line) => this.#tell(line));
    }
    if (rest !== "") this.#tell(rest);
  }

  #tell(line: string | undefined): void {
    if (line !== undefined) this.#said.push(line);
    this.#listeners.forEach((listener) => listener(line));
  }
}

async function play(home: string, start: (...args: StartArguments) => Actor): Promise<void> {
  const state = `${home},${home}/kontrol`;
  const kontrol = start("Kontrol", [
    "--allow-net=127.0.0.1",
    "--allow-env=KITE_*,KONTROL_*,HOME",
    `--allow-read=${state}`,
    `--allow-write=${state}`,
    "kontrol/main.ts",
    "-ip=127.0.0.1",
    "-port=0",
  ], { KITE_HOME: home });
  const [, url = ""] = await kontrol.line(/listens at (http\S+), its user/);
  console.log(`Kontrol   listens at ${url}, with SQLite and a new key pair`);

  const kite = [
    "--allow-net=127.0.0.1,localhost",
    "--allow-env=KITE_*,HOME",
    `--allow-read=${home}`,
  ];
  const env = { KITE_HOME: home, KITE_IP: "127.0.0.1", KITE_PORT: "0", KITE_KONTROL_URL: url };
  const math = start("math", [...kite, "examples/math_register.ts"], env);
  const [, mathUrl] = await math.line(/registered at Kontrol as (\S+)/);
  console.log(`math      registered as ${mathUrl}`);

  const exp2 = start("exp2", [...kite, "examples/exp2_query.ts"], env);
  await exp2.line(/knows 1 math kite/);
  console.log("exp2      asked Kontrol for a math kite, got its URL and a token, and calls it:");
  const [answer] = await exp2.line(/square\(4\) = \d+/);
  console.log(answer);
}

type StartArguments = ConstructorParameters<typeof Actor>;

async function main(): Promise<number> {
  const cache = `${PROJECT}/.cache`;
  await Deno.mkdir(cache, { recursive: true });
  const home = await Deno.makeTempDir({ dir: cache, prefix: "demo-" });
  const actors: Actor[] = [];
  const interrupted = Promise.withResolvers<never>();
  Deno.addSignalListener("SIGINT", () => interrupted.reject(new Error("interrupted")));
  try {
    await Promise.race([
      interrupted.promise,
      play(home, (...args) => {
        const actor = new Actor(...args);
        actors.push(actor);
        return actor;
      }),
    ]);
    return 0;
  } catch (error) {
    console.error(`The demo failed: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    await Promise.all(actors.map((actor) => actor.stop()));
    await Deno.remove(home, { recursive: true });
  }
}

Deno.exit(await main());
