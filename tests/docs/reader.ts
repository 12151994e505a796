import { assertEquals } from "@std/assert";
import { freePort } from "../support/ports.ts";
import { TestProcess } from "../support/process.ts";
import { copyClone } from "./clone.ts";

/** The longest time of a command, milliseconds. */
const TIMEOUT = 60_000;

/** A word of the documentation, and what stands for it here. */
export type Replacement = readonly [usual: string, here: string];

/** Options of a {@linkcode Reader}. */
export interface ReaderOptions {
  /**
   * The folder in which commands run.
   *
   * @default a copy of this repository, in the reader's home
   */
  readonly folder?: string;
  /**
   * The port of Kontrol.
   *
   * @default any free port
   */
  readonly kontrolPort?: number;
  /** What else differs here. */
  readonly replacements?: readonly Replacement[];
}

/** A reader's machine: a home of its own, and free ports in place of the default ones. */
export class Reader implements AsyncDisposable {
  readonly env: Record<string, string>;
  readonly home: string;
  readonly folder: string;
  readonly #replacements: readonly Replacement[];
  readonly #running: TestProcess[] = [];

  private constructor(home: string, denoDir: string, options: ReaderOptions) {
    const { folder = `${home}/kite`, kontrolPort = freePort(), replacements = [] } = options;
    this.home = home;
    this.folder = folder;
    const [kontrol, math] = [String(kontrolPort), String(freePort())];
    this.#replacements = [["4000", kontrol], ["3636", math], ...replacements];
    const deno = Deno.execPath();
    this.env = {
      PATH: `${deno.slice(0, deno.lastIndexOf("/"))}:${Deno.env.get("PATH") ?? ""}`,
      HOME: home,
      INIT_CWD: this.folder, // otherwise that of the task that runs the tests
      DENO_DIR: denoDir,
      NO_COLOR: "1",
      KITE_HOME: "",
      KITE_KONTROL_URL: "",
      KONTROL_PORT: kontrol,
      MATH_PORT: math,
    };
  }

  static async make(options: ReaderOptions = {}): Promise<Reader> {
    const info = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
    const { denoDir } = JSON.parse(new TextDecoder().decode(info.stdout));
    const home = await Deno.makeTempDir({ prefix: "kite_docs_" });
    if (options.folder === undefined) await copyClone(`${home}/kite`);
    return new Reader(home, denoDir, options);
  }

  /** Replaces the default ports, and what else differs here, in a text. */
  local(text: string): string {
    return this.#replacements.reduce(
      (changed, [usual, here]) => changed.replaceAll(new RegExp(`\\b${usual}\\b`, "g"), here),
      text,
    );
  }

  /**
   * Runs a line of a shell as it stands. What keeps running is stopped at the end.
   *
   * @returns what it printed, if it has ended
   */
  async type(line: string): Promise<string> {
    const command = this.local(line.replace(/\s+#.*$/, ""));
    // Its default port is fixed; all other kites take any that is free.
    const env = /examples\/math\.ts/.test(line)
      ? { ...this.env, KITE_PORT: this.env.MATH_PORT! }
      : this.env;
    if (/# keeps running/.test(line)) {
      const ready = /math_register/.test(line) ? /registered at/ : /listens at/;
      this.#running.push(
        await TestProcess.start({
          program: "/bin/sh",
          args: ["-c", `exec env ${command}`],
          env,
          cwd: this.folder,
          ready: (said) => ready.test(said),
        }),
      );
      return "";
    }
    const { code, stdout, stderr } = await this.run("/bin/sh", ["-c", command], env);
    assertEquals(code, 0, `${command}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Runs a program to its end. */
  async run(
    program: string,
    args: string[],
    env = this.env,
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args,
      env,
      cwd: this.folder,
      stdin: "null",
      signal: AbortSignal.timeout(TIMEOUT),
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#running.reverse()) {
      // As Ctrl-C does.
      Deno.kill(process.pid, "SIGINT");
      await process.stop();
    }
    await Deno.remove(this.home, { recursive: true });
  }
}
