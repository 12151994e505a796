/** The first steps of someone who has Node only, by the commands of the README and docs/node.md. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";
import { findRuntimes } from "../npm/support.ts";
import { freePort } from "../support/ports.ts";
import { TestProcess } from "../support/process.ts";
import { copyClone, output } from "./clone.ts";
import { blocks, page } from "./pages.ts";

/** What a machine with Node has, besides Node itself. */
const PROGRAMS = ["npm", "npx", "sh", "env", "mkdir", "tar", "gzip"];
/** Milliseconds that a command may take. */
const BOUND = 180_000;

/** A machine without Deno: a home of its own, and free ports in place of the default ones. */
class NodeMachine implements AsyncDisposable {
  readonly home: string;
  readonly #env: Record<string, string>;
  readonly #kontrol = String(freePort());
  readonly #math = String(freePort());

  private constructor(home: string, npm: Record<string, string>, denoDir: string) {
    this.home = home;
    this.#env = {
      ...{ PATH: `${home}/bin`, HOME: home, NO_COLOR: "1", NODE_NO_WARNINGS: "1" },
      // This machine's registry, and what it has downloaded already.
      ...{ ...npm, DENO_DIR: denoDir },
      ...{ KITE_HOME: "", KITE_KONTROL_URL: "", KONTROL_PORT: this.#kontrol },
    };
  }

  static async make(node: string): Promise<NodeMachine> {
    const home = await Deno.makeTempDir();
    await Deno.mkdir(`${home}/bin`);
    await Deno.symlink(node, `${home}/bin/node`);
    for (const program of PROGRAMS) {
      const path = (await output("sh", "-c", `command -v ${program}`)).trim();
      await Deno.symlink(path, `${home}/bin/${program}`);
    }
    const npm = {
      npm_config_cache: (await output("npm", "config", "get", "cache")).trim(),
      npm_config_userconfig: (await output("npm", "config", "get", "userconfig")).trim(),
    };
    const { denoDir } = JSON.parse(await output(Deno.execPath(), "info", "--json"));
    return new NodeMachine(home, npm, denoDir);
  }

  /** Replaces the default ports in a text. */
  local(text: string): string {
    return text.replaceAll("3636", this.#math).replaceAll("4000", this.#kontrol);
  }

  /** Runs commands, and returns what they print. */
  async type(folder: string, commands: string): Promise<string> {
    const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: ["-ec", this.local(commands)],
      cwd: folder,
      env: this.#env,
      stdin: "null",
      signal: AbortSignal.timeout(BOUND),
    }).output();
    const text = new TextDecoder();
    assertEquals(code, 0, `${commands}\n${text.decode(stdout)}${text.decode(stderr)}`);
    return text.decode(stdout);
  }

  /** Runs a command that keeps running, until the scope ends. */
  async keep(folder: string, command: string): Promise<AsyncDisposable> {
    const process = await TestProcess.start({
      program: "/usr/bin/setsid",
      args: ["sh", "-c", `exec ${this.local(command)}`],
      cwd: folder,
      env: this.#env,
      startMs: BOUND,
      ready: (line) => line.includes("listens at"),
    });
    return {
      async [Symbol.asyncDispose]() {
        // As Ctrl-C does, which reaches all processes of the terminal.
        Deno.kill(-process.pid, "SIGINT");
        await process.ended();
        await process.stop();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.home, { recursive: true });
  }
}

const runtimes = findRuntimes().filter(({ name }) => name === "Node 22");

for (const { name, program } of runtimes) {
  Deno.test(`newcomers: ${name} alone leads from the README to a call through Kontrol`, async () => {
    const readme = page("README.md");
    const [, substitute] = /replace `deno` in any command with `([^`]+)`/.exec(readme.text) ?? [];
    const [up, tell] = blocks(readme).find(({ kind }) => kind === "sh")!.text
      .split("\n").map((line) => line.replace(/^deno /, `${substitute} `).replace(/\s+#.*$/, ""));
    assertStringIncludes(up!, "kitectl up");
    await using machine = await NodeMachine.make(program);
    await using _kontrol = await machine.keep(fromFileUrl(ROOT), up!);
    assertStringIncludes(await machine.type(fromFileUrl(ROOT), tell!), "16");
  });

  Deno.test(`newcomers: ${name} alone leads from a clone to two kites`, async () => {
    const guide = blocks(page("docs/node.md"));
    await using machine = await NodeMachine.make(program);
    await copyClone(`${machine.home}/kite`);
    const install = guide.find(({ kind }) => kind === "sh clone");
    await machine.type(`${machine.home}/kite`, install!.text);
    const folder = `${machine.home}/first`;
    for (const { kind, text } of guide) {
      if (kind !== "js math.js" && kind !== "js exp2.js") continue;
      await Deno.writeTextFile(`${folder}/${kind.slice(3)}`, machine.local(text));
    }
    const [math, exp2] = guide.find(({ kind }) => kind === "sh npm")!.text.split("\n");
    await using _math = await machine.keep(folder, math!.replace(/\s+#.*$/, ""));
    assertEquals(await machine.type(folder, exp2!), "16\n");
  });
}
