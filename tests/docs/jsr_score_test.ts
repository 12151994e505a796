/** The published rules of JSR's score, as far as they can be computed before a release. */

import { assert, assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";

interface JsDoc {
  readonly doc?: string;
  readonly tags?: readonly { readonly kind: string; readonly doc?: string }[];
}

interface Documented {
  readonly name?: string;
  readonly jsDoc?: JsDoc;
  readonly accessibility?: string;
}

interface Declaration extends Documented {
  readonly kind: string;
  readonly declarationKind: string;
  readonly def?: {
    readonly properties?: readonly Documented[];
    readonly methods?: readonly Documented[];
  };
}

interface Module {
  readonly module_doc?: JsDoc;
  readonly symbols: readonly {
    readonly name: string;
    readonly declarations: readonly Declaration[];
  }[];
}

const read = (path: string): Promise<string> => Deno.readTextFile(new URL(path, ROOT));
const config = JSON.parse(await read("deno.json"));
const modules = await readModules();

async function run(...args: string[]): Promise<{ success: boolean; text: string }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: fromFileUrl(ROOT),
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { success, text: decoder.decode(stdout) + (success ? "" : decoder.decode(stderr)) };
}

/** The documentation of each entry point. */
async function readModules(): Promise<ReadonlyMap<string, Module>> {
  const found = new Map<string, Module>();
  // One by one, since what one entry point exports is a mere reference in the next.
  for (const [entry, path] of Object.entries<string>(config.exports)) {
    const { success, text } = await run("doc", "--json", path);
    assert(success, text);
    const { nodes } = JSON.parse(text) as { nodes: Readonly<Record<string, Module>> };
    found.set(entry, nodes[new URL(path, ROOT).href]!);
  }
  return found;
}

const hasDoc = ({ jsDoc }: Documented): boolean =>
  (jsDoc?.doc ?? "").trim() !== "" || (jsDoc?.tags ?? []).length > 0;

/** The symbols of a module and the members of its classes and interfaces, those without docs apart. */
function tally({ symbols }: Module): { count: number; missing: string[] } {
  const missing: string[] = [];
  let count = 0;
  for (const { name, declarations } of symbols) {
    const documented = new Map<string, boolean>();
    // One of several overloads is enough.
    const note = (key: string, each: Documented) =>
      documented.set(key, (documented.get(key) ?? false) || hasDoc(each));
    for (const declaration of declarations) {
      note(name, declaration);
      const { properties = [], methods = [] } = declaration.def ?? {};
      for (const member of [...properties, ...methods]) {
        if (member.accessibility !== "private") note(`${name}.${member.name}`, member);
      }
    }
    count += documented.size;
    for (const [key, isDocumented] of documented) if (!isDocumented) missing.push(key);
  }
  return { count, missing };
}

Deno.test("JSR: the package has a README and every entry point a module doc with an example", async () => {
  assertStringIncludes(await read("README.md"), "```ts");
  for (const [entry, { module_doc }] of modules) {
    assert((module_doc?.doc ?? "").trim() !== "", `${entry} has no module doc`);
    const examples = (module_doc?.tags ?? []).filter(({ kind }) => kind === "example");
    assert(examples.some(({ doc = "" }) => doc.includes("```ts")), `${entry} has no example`);
  }
});

Deno.test("JSR: every symbol has a doc", () => {
  for (const [entry, module] of modules) {
    const { count, missing } = tally(module);
    assert(count > 0, entry);
    assertEquals(missing, [], entry);
  }
});

Deno.test("every exported class and function has an example", () => {
  for (const [entry, { symbols }] of modules) {
    for (const { name, declarations } of symbols) {
      const runnable = declarations.filter(({ kind }) => kind === "class" || kind === "function");
      const tags = runnable.flatMap(({ jsDoc }) => jsDoc?.tags ?? []);
      const isShown = tags.some(({ kind }) => kind === "example");
      assert(runnable.length === 0 || isShown, `${entry}: ${name}`);
    }
  }
});

Deno.test("JSR: there are no slow types", async () => {
  const { success, text } = await run("publish", "--dry-run", "--allow-dirty");
  assert(success, text);
  for (const path of [".github/workflows/publish.yml", "tools/ok.ts"]) {
    assertFalse((await read(path)).includes("allow-slow-types"), path);
  }
});

Deno.test("JSR: a release has provenance: it is published by a workflow that may prove who it is", async () => {
  const workflow = await read(".github/workflows/publish.yml");
  assertStringIncludes(workflow, "run: deno publish\n");
  assertStringIncludes(workflow, "id-token: write");
});

Deno.test("JSR: what is set by hand is in CONTRIBUTING.md", async () => {
  const text = (await read("CONTRIBUTING.md")).replaceAll(/\s+/g, " ");
  const [, description = ""] = /description: "([^"]+)"/.exec(text) ?? [];
  assert(description.length > 0 && description.length <= 250, description);
  assertStringIncludes((await read("tools/npm.ts")).replaceAll(/\s+/g, " "), `"${description}"`);
  assertStringIncludes(text, "runtimes: Deno, Node.js, Bun and browsers");
});
