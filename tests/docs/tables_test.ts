import { assert, assertEquals } from "@std/assert";
import { SETTINGS } from "../../kontrol/program/settings.ts";
import { resolveConfig } from "../../src/config.ts";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.ts";
import { publishedFiles } from "../../tools/imports.ts";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";
import { names, page, PAGES, table } from "./pages.ts";

Deno.test("limits.md: lists the limits of the code with their defaults", () => {
  const { rows } = table("docs/limits.md", "limit", "default");
  const told = rows.map(([name, value]) => [names(name)[0], Number(value!.replaceAll(",", ""))]);
  assertEquals(Object.fromEntries(told), { ...DEFAULT_LIMITS });
});

Deno.test("configuration.md: lists the options and variables of the code", async () => {
  const { rows } = table("docs/configuration.md", "option", "variable");
  const options = rows.flatMap(([option]) => names(option));
  const none = { env: () => undefined, readTextFile: () => undefined, homeDirectory: () => "" };
  for (const option of Object.keys(resolveConfig({}, none))) {
    const told = option === "kontrolUrls" ? "kontrolUrl" : option;
    assert(options.includes(told), `the option ${told} is not in the table`);
  }
  const source = await read("src/config.ts");
  const variables = new Set(Array.from(source.matchAll(/"(KITE_[A-Z_]+)"/g), ([, name]) => name!));
  assertEquals(new Set(rows.flatMap(([, variable]) => names(variable))), variables);
});

Deno.test("kontrol.md: lists the flags of the program", () => {
  const told = table("docs/kontrol.md", "flag", "variable").rows.flatMap(([flag]) => names(flag));
  const there = SETTINGS.map(({ flag }) => `-${flag}`).filter((flag) => flag !== "-help");
  assertEquals(told.sort(), there.sort());
});

Deno.test("kontrol.md: lists the budgets of the code with their defaults", async () => {
  const source = await read("kontrol/budgets.ts");
  const defaults = /DEFAULTS[^{]*\{([^}]+)\}/.exec(source)![1]!;
  const there = Array.from(
    defaults.matchAll(/(\w+): ([\d_]+)/g),
    ([, name, value]) => [name, value],
  );
  const { rows } = table("docs/kontrol.md", "budget", "default");
  const told = rows.map(([name, value]) => [names(name)[0], value!.replaceAll(",", "_")]);
  assert(there.length > 3);
  assertEquals(told, there);
});

Deno.test("methods.md: lists the error types of the code", async () => {
  const source = await read("src/protocol/errors.ts");
  const union = /type KiteErrorType =([^;]+);/.exec(source)![1]!;
  const there = Array.from(union.matchAll(/"(\w+)"/g), ([, name]) => name!);
  assertEquals(
    table("docs/methods.md", "type", "when").rows.map(([type]) => names(type)[0]),
    there,
  );
});

Deno.test("architecture.md: names files that exist", () => {
  const files = [...publishedFiles(), ...filesIn("tests/"), ...filesIn("tools/")];
  const named = page("docs/architecture.md").text.matchAll(/`([\w/]+\.ts)`/g);
  for (const [, path] of named) {
    assert(files.some((file) => `/${file}`.endsWith(`/${path}`)), `there is no file ${path}`);
  }
});

Deno.test("parity.md: has each row once, with its state and the tests that show it", async () => {
  const { rows } = table("docs/parity.md", "id", "what", "state", "shown by");
  const ids = rows.map(([id]) => id!);
  const counts = { K: 17, C: 8, P: 3, T: 3, E: 1, J: 6, D: 3 };
  const wanted = Object.entries(counts).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, i) => `${letter}${i + 1}`)
  );
  assertEquals(ids, wanted);
  for (const [id, , state, shownBy] of rows) {
    assert(/^(done|not yet|prepared|the )/.test(state!), id);
    const tests = names(shownBy);
    if (state!.startsWith("done")) assert(tests.length > 0, id);
    for (const test of tests) assert((await Deno.stat(new URL(`tests/${test}`, ROOT))).isFile);
  }
});

Deno.test("README.md: has at most 200 lines", () => {
  assert(page("README.md").text.split("\n").length <= 201);
});

Deno.test("docs: every link leads to a file and a heading that exist", async () => {
  for (const { path, text } of PAGES) {
    const prose = text.replaceAll(/^```.*?^```$/gms, "");
    for (const [, target = ""] of prose.matchAll(/\]\(([^)]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file = "", heading] = target.split("#");
      const url = file === "" ? new URL(path, ROOT) : new URL(file, new URL(path, ROOT));
      assert((await Deno.stat(url)).isFile, `${path}: ${target}`);
      if (heading === undefined) continue;
      const headings = (await Deno.readTextFile(url)).matchAll(/^#+ (.*)$/gm);
      const anchors = Array.from(headings, ([, text]) => anchor(text!));
      assert(anchors.includes(heading), `${path}: ${target}`);
    }
  }
});

Deno.test("protocol.md: has the sections that comments in the code cite", async () => {
  const sections = new Set(
    ["protocol", "kontrol-protocol"].flatMap((name) =>
      Array.from(
        page(`docs/${name}.md`).text.matchAll(/^## (\d+)\. /gm),
        ([, section]) => `docs/${name}.md §${section}`,
      )
    ),
  );
  let cited = 0;
  for (const file of publishedFiles()) {
    for (const [citation] of (await read(file)).matchAll(/docs\/[\w-]+\.md §\d/g)) {
      assert(sections.has(citation), `${file} cites ${citation}`);
      cited++;
    }
  }
  assert(cited > 20);
});

function filesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(new URL(folder, ROOT))).flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(`${folder}${name}/`) : [folder + name]
  );
}

function anchor(heading: string): string {
  return heading.toLowerCase().replace(/[^\w\s-]/g, "").replaceAll(" ", "-");
}

function read(path: string): Promise<string> {
  return Deno.readTextFile(fromFileUrl(new URL(path, ROOT)));
}
