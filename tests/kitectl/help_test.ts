import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { EXIT } from "../../src/kitectl/exit_codes.ts";
import { VERSION } from "../../src/protocol/package_version.ts";
import { createProgram } from "../../src/kitectl/program.ts";
import { Screen } from "../../src/kitectl/screen.ts";
import type { Command } from "commander";
import { ROOT } from "../../tools/paths.ts";
import { Machine } from "./support.ts";

function commands(): Command[] {
  const { signal } = new AbortController();
  const program = createProgram(
    { screen: new Screen(), signal, ignoreInterrupt: () => {}, program: "kitectl" },
    () => {},
  );
  const below = (command: Command): Command[] => [command, ...command.commands.flatMap(below)];
  return below(program);
}

Deno.test("kitectl --help: lists all commands and the exit codes; each command has examples", async () => {
  await using machine = await Machine.make();
  const { code, stdout, stderr } = await machine.run(["--help"]);
  assertEquals([code, stderr], [0, ""]);
  const names = commands()[0]!.commands.map((command) => command.name());
  const asked = ["up", "doctor", "register", "showkey", "key", "user", "invite", "query", "tell"]
    .concat(["describe", "list", "run", "install", "uninstall", "version", "completions", "help"]);
  assertEquals(new Set(names), new Set(asked));
  for (const name of names) assertMatch(stdout, new RegExp(`^  ${name} .*\\w`, "m"));
  for (const exit of Object.values(EXIT)) assertMatch(stdout, new RegExp(`\\b${exit}\\b`));
  for (const command of commands()) {
    const isGroup = command.commands.length > 0;
    if (isGroup || command.name() === "version") continue;
    let help = "";
    command.configureOutput({ writeOut: (text) => help += text });
    command.outputHelp();
    assertMatch(help, /Examples:\n {2}(KITE_HOME=\w+ |eval "\$\()?kitectl /, command.name());
  }
  assertStringIncludes((await machine.run(["help", "tell"])).stdout, "Usage: kitectl tell");
  const none = await machine.run([]);
  assertEquals([none.code, none.stdout], [2, ""]);
  assertStringIncludes(none.stderr, "Usage: kitectl");
});

Deno.test("kitectl version: prints the version of the package", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  assertEquals(VERSION, version);
  await using machine = await Machine.make();
  for (const words of [["version"], ["--version"], ["-v"]]) {
    assertEquals((await machine.run(words)).stdout, `${version}\n`);
  }
});

Deno.test("kitectl completions: bash completes commands, subcommands and options", async () => {
  await using machine = await Machine.make();
  const { stdout: script } = await machine.run(["completions", "bash"]);
  const complete = async (...words: string[]): Promise<string[]> => {
    const typed = words.map((word) => `'${word}'`).join(" ");
    const { stdout } = await new Deno.Command("bash", {
      args: [
        "-c",
        `${script}\nCOMP_WORDS=(kitectl ${typed}); COMP_CWORD=${words.length}; _kitectl; ` +
        `printf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
    }).output();
    return new TextDecoder().decode(stdout).trim().split("\n");
  };
  assertEquals(await complete("un"), ["uninstall"]);
  assertEquals(await complete("user", ""), ["add", "--help"]);
  assertEquals(await complete("user", "add", "--ou"), ["--out"]);
  assertEquals(await complete("tell", "--name", "math", "--ti"), ["--timeout"]);
  assertEquals(await complete("query", "--w"), ["--watch"]);
  assert((await complete("")).length > 15);
  for (const shell of ["zsh", "fish"]) {
    const { code, stdout } = await machine.run(["completions", shell]);
    assertEquals(code, 0);
    for (const name of ["uninstall", "add", "rotate", "timeout"]) {
      assertStringIncludes(stdout, name);
    }
  }
  const wrong = await machine.run(["completions", "cmd"]);
  assertEquals(wrong.code, 2);
  assertMatch(wrong.stderr, /Allowed choices are bash, zsh, fish/);
});
