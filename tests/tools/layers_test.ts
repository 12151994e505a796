import { assert, assertEquals, assertMatch } from "@std/assert";
import { graphOf, publishedFiles } from "../../tools/imports.ts";
import { findCycle, moduleOf, refuseImport } from "../../tools/layers.ts";
import plugin from "../../tools/layers_lint.ts";
import { CACHE, fromFileUrl } from "../../tools/paths.ts";
import { platformErrors } from "../../tools/platform.ts";

function lint(path: string, source: string): string[] {
  const file = new URL(`../../${path}`, import.meta.url).pathname;
  return Deno.lint.runPlugin(plugin, file, source).map(({ message }) => message);
}

Deno.test("moduleOf: names the module of a published file", () => {
  const modules = {
    "src/protocol/errors.ts": "protocol",
    "src/transport/sockjs/server/xhr.ts": "transport",
    "src/client.ts": "kite",
    "kontrol/storage/etcd.ts": "kontrol",
    "mod.ts": "entry",
    "tests/rpc/call_test.ts": undefined,
    "tools/layers.ts": undefined,
    "deno.json": undefined,
  };
  for (const [path, module] of Object.entries(modules)) assertEquals(moduleOf(path), module, path);
});

Deno.test("refuseImport: allows imports from lower layers only", () => {
  const allowed = [
    ["src/rpc/a.ts", "src/dnode/b.ts"],
    ["src/rpc/a.ts", "src/rpc/b.ts"],
    ["src/dnode/a.ts", "src/runtime/b.ts"],
    ["src/runtime/a.ts", "src/protocol/b.ts"],
    ["src/kite.ts", "src/discovery/b.ts"],
    ["src/discovery/a.ts", "src/client.ts"],
    ["kontrol/main.ts", "mod.ts"],
    ["tests/a_test.ts", "src/kite.ts"],
  ];
  const refused = [
    ["src/dnode/a.ts", "src/rpc/b.ts"],
    ["src/dnode/a.ts", "src/transport/b.ts"],
    ["src/protocol/a.ts", "src/runtime/b.ts"],
    ["src/runtime/a.ts", "src/rpc/b.ts"],
    ["src/rpc/a.ts", "src/client.ts"],
    ["src/proxy/a.ts", "kontrol/b.ts"],
    ["src/rpc/a.ts", "tests/support/b.ts"],
    ["src/attic/a.ts", "src/protocol/b.ts"],
    ["src/rpc/a.ts", "mod.ts"],
  ];
  for (const [from = "", to = ""] of allowed) assertEquals(refuseImport(from, to), undefined);
  for (const [from = "", to = ""] of refused) assert(refuseImport(from, to), `${from} ${to}`);
});

Deno.test("lint rule layers/imports: sees every kind of import", () => {
  const ways = [
    `import { a } from "../rpc/a.ts";`,
    `import type { a } from "../rpc/a.ts";`,
    `export { a } from "../rpc/a.ts";`,
    `export * from "../rpc/a.ts";`,
    `export const a = () => import("../rpc/a.ts");`,
    `export type A = import("../rpc/a.ts").A;`,
    `import { readFile } from "node:fs";`,
  ];
  for (const source of ways) assertEquals(lint("src/dnode/x.ts", source).length, 1, source);
  assertEquals(lint("src/dnode/x.ts", `import { a } from "../protocol/a.ts";`), []);
  assertEquals(lint("src/runtime/x.ts", `import { readFile } from "node:fs";`), []);
});

Deno.test("platformErrors: finds the globals of a platform, and no others", async () => {
  const refused = [
    "Deno.exit(1);",
    "console.log(1);",
    "export type C = Deno.Conn;",
    "export const t = window;",
    "export const x = globalThis.Deno;",
    `export const x = globalThis["document"];`,
    "export class A { x = localStorage; }",
    "export const x = new XMLHttpRequest();",
    "export const x = import.meta.dirname;",
    "{ const Deno = 1; void Deno; } Deno.exit(1);",
  ];
  const allowed = [
    `export const text = "Deno is a word, window too"; // console`,
    "export function f({ location }: { location: string }): string { return location; }",
    "export interface A { process: string; document(): void }",
    "export const a = new URL(crypto.randomUUID(), location?.href); declare const location: URL;",
    "export const a = fetch(new Request('http://a'), { signal: AbortSignal.timeout(1) });",
  ];
  await Deno.mkdir(CACHE, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: fromFileUrl(CACHE) });
  try {
    const files = [...refused, ...allowed].map((source, i) => {
      const url = new URL(`file://${folder}/probe_${i}.ts`).href;
      Deno.writeTextFileSync(new URL(url), `${source}\nexport {};\n`);
      return url;
    });
    const errors = await platformErrors(files);
    refused.forEach((source, i) => {
      assertEquals(errors.filter((error) => error.includes(`/probe_${i}.ts:`)).length, 1, source);
    });
    assertEquals(errors.length, refused.length, errors.join("\n"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("platformErrors: src/runtime may name a platform", async () => {
  assertMatch(await Deno.readTextFile("src/runtime/serve.ts"), /\bDeno\b/);
  assertEquals(await platformErrors(["src/runtime/serve.ts"]), []);
});

Deno.test("findCycle: returns the files of a cycle in order", () => {
  const straight = new Map([["a", ["b", "c"]], ["b", ["c"]], ["c", []]]);
  assertEquals(findCycle(straight), undefined);
  const round = new Map([["a", ["b"]], ["b", ["c", "d"]], ["c", []], ["d", ["b"]]]);
  assertEquals(findCycle(round), ["b", "d", "b"]);
});

Deno.test("graphOf: returns every published file with its imports", async () => {
  const files = publishedFiles();
  const graph = await graphOf(files);
  for (const file of files) assert(graph.has(file), file);
  assert(graph.get("src/protocol/errors.ts"));
  assert([...graph.values()].some((targets) => targets.length > 0));
});
