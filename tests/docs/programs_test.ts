import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, ROOT, TEST_LOCK } from "../../tools/paths.ts";
import { freePort } from "../support/ports.ts";
import { TestProcess } from "../support/process.ts";
import { copyClone } from "./clone.ts";
import { type Block, blocks, PAGES, promised } from "./pages.ts";

const BLOCKS = PAGES.flatMap(blocks);
const PROGRAMS = BLOCKS.filter(({ kind }) => kind === "ts");
const COMMANDS = BLOCKS.filter(({ kind }) => kind === "sh");
const TIMEOUT = 60_000;

/** A reader's machine: a home of its own, and free ports in place of the default ones. */
class Reader implements AsyncDisposable {
  readonly env: Record<string, string>;
  readonly #home: string;
  readonly #folder: string;
  readonly #ports: readonly [string, string][];
  readonly #running: TestProcess[] = [];

  private constructor(home: string, folder: string, denoDir: string) {
    this.#home = home;
    this.#folder = folder;
    this.#ports = ["4000", "3636"].map((port) => [port, String(freePort())]);
    const [[, kontrol], [, math]] = this.#ports as [[string, string], [string, string]];
    const deno = Deno.execPath();
    this.env = {
      PATH: `${deno.slice(0, deno.lastIndexOf("/"))}:${Deno.env.get("PATH") ?? ""}`,
      HOME: home,
      DENO_DIR: denoDir,
      NO_COLOR: "1",
      KITE_HOME: "",
      KITE_KONTROL_URL: "",
      KONTROL_PORT: kontrol,
      MATH_PORT: math,
    };
  }

  /** @param folder gets what a clone has, in the reader's home, unless it is given */
  static async make(folder?: string): Promise<Reader> {
    const info = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
    const { denoDir } = JSON.parse(new TextDecoder().decode(info.stdout));
    const home = await Deno.makeTempDir({ prefix: "kite_docs_" });
    if (folder === undefined) await copyClone(`${home}/kite`);
    return new Reader(home, folder ?? `${home}/kite`, denoDir);
  }

  /** Replaces the default ports in a text. */
  local(text: string): string {
    return this.#ports.reduce(
      (changed, [usual, free]) => changed.replaceAll(new RegExp(`\\b${usual}\\b`, "g"), free),
      text,
    );
  }

  /** Runs a line of a shell as it stands. What keeps running is stopped at the end. */
  async type(line: string): Promise<void> {
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
          args: ["-c", `exec ${command}`],
          env,
          cwd: this.#folder,
          ready: (said) => ready.test(said),
        }),
      );
      return;
    }
    const { code, stdout, stderr } = await this.run("/bin/sh", ["-c", command], env);
    assertEquals(code, 0, `${command}\n${stdout}${stderr}`);
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
      cwd: this.#folder,
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
    await Deno.remove(this.#home, { recursive: true });
  }
}

Deno.test("docs: every command runs unchanged", async (t) => {
  assert(COMMANDS.length >= 8);
  for (const { path, text, line } of COMMANDS) {
    await t.step(`${path}:${line}`, async () => {
      await using reader = await Reader.make();
      // An earlier block of the page has started it.
      if (needsKontrol(text)) await reader.type("deno run -A kontrol/main.ts # keeps running");
      for (const command of text.split("\n")) await reader.type(command);
    });
  }
});

Deno.test("docs: every program runs unchanged, and prints what its comments say", async (t) => {
  assert(PROGRAMS.length >= 10);
  await using reader = await Reader.make(fromFileUrl(ROOT));
  await reader.type("deno run -A kontrol/main.ts # keeps running");
  // In this folder, since deno.json maps the packages that only tests import for `tests` alone.
  const folder = await Deno.makeTempDir({ dir: import.meta.dirname!, prefix: ".programs-" });
  try {
    const files = await Promise.all(PROGRAMS.map((block) => write(folder, block, reader)));
    const check = await reader.run(Deno.execPath(), ["check", TEST_LOCK, ...files]);
    assertEquals(check.code, 0, check.stderr);
    for (const [i, { path, text, line }] of PROGRAMS.entries()) {
      await t.step(`${path}:${line}`, async () => {
        const { code, stdout, stderr } = await reader.run(
          Deno.execPath(),
          ["run", "-A", TEST_LOCK, files[i]!],
        );
        assertEquals(code, 0, stderr);
        assertEquals(stdout.split("\n").filter((line) => line !== ""), promised(text));
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** A Kontrol of the program's own has its port to itself. */
async function write(
  folder: string,
  { path, text, line }: Block,
  reader: Reader,
): Promise<string> {
  const file = `${folder}/${path.replaceAll("/", "_")}_${line}.ts`;
  const own = text.includes("createKontrol(") ? text.replaceAll("4000", String(freePort())) : text;
  await Deno.writeTextFile(file, `${reader.local(own)}\n`);
  return file;
}

function needsKontrol(text: string): boolean {
  return /exp2_query|math_register/.test(text) && !text.includes("kontrol/main.ts");
}
