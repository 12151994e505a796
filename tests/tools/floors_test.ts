import { assert, assertEquals } from "@std/assert";
import { findCircle, refuseImport, roomOf } from "../../tools/floors.ts";
import plugin from "../../tools/floors_lint.ts";
import { graphOf, publishedFiles } from "../../tools/house.ts";

function lint(path: string, source: string): string[] {
  const file = new URL(`../../${path}`, import.meta.url).pathname;
  return Deno.lint.runPlugin(plugin, file, source).map(({ message }) => message);
}

Deno.test("floors: the room of a file", () => {
  const rooms = {
    "src/protocol/errors.ts": "protocol",
    "src/transport/sockjs/server/xhr.ts": "transport",
    "src/client.ts": "kite",
    "kontrol/storage/etcd.ts": "kontrol",
    "mod.ts": "entry",
    "tests/rpc/call_test.ts": undefined,
    "tools/floors.ts": undefined,
    "deno.json": undefined,
  };
  for (const [path, room] of Object.entries(rooms)) assertEquals(roomOf(path), room, path);
});

Deno.test("floors: which imports climb", () => {
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

Deno.test("floors: every way to import is seen", () => {
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

Deno.test("floors: a runtime's globals are found where they are meant", () => {
  const refused = [
    "Deno.exit(1);",
    "console.log(1);",
    "export type C = Deno.Conn;",
    "export const t = typeof window;",
    "export const x = { process };",
    "export const x = globalThis.Deno;",
    `export const x = globalThis["document"];`,
    "export const f = (x = navigator) => x;",
    "export class A { x = localStorage; }",
    "export const x = table[location];",
    "{ const process = 1; } process.exit();",
  ];
  for (const source of refused) assertEquals(lint("src/rpc/x.ts", source).length, 1, source);

  const allowed = [
    `export const text = "Deno is a word, window too"; // process`,
    "export const a = (process: number) => process + 1;",
    "export function f({ location }: { location: string }) { return location; }",
    "export const { window: pane } = table; use(pane);",
    "const window = 3; use(window);",
    "export interface A { process: string; document(): void }",
    "export class A { location = 1; process() {} get() { return this.location; } }",
    `import { process } from "./a.ts"; process();`,
    "try { f(); } catch (self) { use(self); }",
    "export const a = new URL(crypto.randomUUID(), globalThis.origin);",
  ];
  for (const source of allowed) assertEquals(lint("src/rpc/x.ts", source), [], source);
  assertEquals(lint("src/runtime/x.ts", "Deno.exit(1); window.alert();"), []);
  assertEquals(lint("tests/rpc/x.ts", "Deno.exit(1);"), []);
});

Deno.test("floors: a circle is found and told in order", () => {
  const straight = new Map([["a", ["b", "c"]], ["b", ["c"]], ["c", []]]);
  assertEquals(findCircle(straight), undefined);
  const round = new Map([["a", ["b"]], ["b", ["c", "d"]], ["c", []], ["d", ["b"]]]);
  assertEquals(findCircle(round), ["b", "d", "b"]);
});

Deno.test("floors: the graph holds every published file with its imports", async () => {
  const files = publishedFiles();
  const graph = await graphOf(files);
  for (const file of files) assert(graph.has(file), file);
  assert(graph.get("src/protocol/errors.ts"));
  assert([...graph.values()].some((targets) => targets.length > 0));
});
