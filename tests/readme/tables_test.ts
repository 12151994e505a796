import { assert, assertEquals } from "@std/assert";
import { SETTINGS } from "../../kontrol/program/settings.ts";
import { resolveConfig } from "../../src/config.ts";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.ts";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";
import { names, README, table } from "./blocks.ts";

Deno.test("readme: the limits are those of the code, with their defaults", () => {
  const { rows } = table("limit", "default");
  const told = rows.map(([name, value]) => [names(name)[0], Number(value!.replaceAll(",", ""))]);
  assertEquals(Object.fromEntries(told), { ...DEFAULT_LIMITS });
});

Deno.test("readme: the options and variables are those of the code", async () => {
  const { rows } = table("option", "variable");
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

Deno.test("readme: Kontrol's flags are those of the program", () => {
  const told = table("flag", "variable").rows.flatMap(([flag]) => names(flag));
  const there = SETTINGS.map(({ flag }) => `-${flag}`).filter((flag) => flag !== "-help");
  assertEquals(told.sort(), there.sort());
});

Deno.test("readme: the types of errors are those of the code", async () => {
  const source = await read("src/protocol/errors.ts");
  const union = /type KiteErrorType =([^;]+);/.exec(source)![1]!;
  const there = Array.from(union.matchAll(/"(\w+)"/g), ([, name]) => name!);
  assertEquals(table("type", "when").rows.map(([type]) => names(type)[0]), there);
});

Deno.test("readme: each promise of parity stands there once, with its state", () => {
  const { rows } = table("id", "what", "state");
  const ids = rows.map(([id]) => id!);
  const counts = { K: 17, C: 8, P: 3, T: 3, E: 1, J: 6, D: 3 };
  const wanted = Object.entries(counts).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, i) => `${letter}${i + 1}`)
  );
  assertEquals(ids, wanted);
  for (const [id, , state] of rows) assert(/^(done|not yet|prepared|the )/.test(state!), id);
});

Deno.test("readme: the files and headings that it links to are there", async () => {
  for (const [, target] of README.matchAll(/\]\(([^)#:]+)\)/g)) {
    assert((await Deno.stat(new URL(target!, ROOT))).isFile, target);
  }
  const headings = Array.from(README.matchAll(/^#+ (.*)$/gm), ([, text]) => anchor(text!));
  const anchors = Array.from(README.matchAll(/<a id="(\w+)">/g), ([, id]) => id!);
  for (const [, target] of README.matchAll(/\]\(#([^)]+)\)/g)) {
    assert([...headings, ...anchors].includes(target!), target);
  }
});

function anchor(heading: string): string {
  return heading.toLowerCase().replace(/[^\w\s-]/g, "").replaceAll(" ", "-");
}

function read(path: string): Promise<string> {
  return Deno.readTextFile(fromFileUrl(new URL(path, ROOT)));
}
