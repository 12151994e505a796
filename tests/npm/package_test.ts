/** What is in the npm package, and that TypeScript, bundlers and the checkers of npm accept it. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ROOT } from "../../tools/paths.ts";
import { gzippedBytes } from "../support/gzip.ts";
import { findRuntimes, Project, run, succeed } from "./support.ts";

/** A program against every entry point; it need not run. */
const PROGRAM = `
import { type Client, Kite, KiteError, type, contract, method } from "@kite/kite";
import { Kontrol, MemoryStorage, SqliteStorage, EtcdStorage, PostgresStorage } from "@kite/kite/kontrol";
import { ReverseProxy, TunnelProxy } from "@kite/kite/proxy";
import { startTestKontrol } from "@kite/kite/testing";

export const kite: Kite = new Kite("exp2", "1.0.0");
kite.handle("sum", ({ args }) => {
  const [a, b] = args.sliceOfLength(2);
  return a.number() + b.number();
});
kite.handle("square", { args: [type<number>()] }, (n) => n ** 2);
const math = contract({ square: method({ args: [type<number>()], result: type<number>() }) });
export const remote: Client = kite.newClient("http://localhost:3636/kite");
export const untyped: unknown = await remote.tell("square", 4);
export const typed: number = await remote.tell<number>("square", 4);
export const square: Promise<number> = remote.as(math).square(4);
export const error: KiteError = new KiteError("quotaError", "no seats left");
export const classes: readonly unknown[] = [
  Kontrol, MemoryStorage, SqliteStorage, EtcdStorage, PostgresStorage, ReverseProxy, TunnelProxy,
];
export const kontrol: Promise<AsyncDisposable> = startTestKontrol();
// @ts-expect-error the result of a call is unknown
export const wrong: string = await remote.tell("square", 4);
`;

/** Compiler options of the projects that the types are checked in. */
const RESOLUTIONS = [
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "esnext", moduleResolution: "bundler" },
] as const;

/** Bytes of a page's script after `gzip -9`, as docs/browser.md promises. */
const MOST_PAGE_BYTES = 30 * 1_024;

const PAGE = `
import { Kite } from "@kite/kite/client";
const kite = new Kite("page", "1.0.0");
document.title = kite.identity.name;
`;

Deno.test("npm: the package is what its manifest says, and types and bundlers accept it", async (t) => {
  await using project = await Project.create(
    "typescript@5",
    "@types/node@22",
    "vite@8",
    "publint@0.3",
    "@arethetypeswrong/cli@0.18",
  );
  const { folder, tarball } = project;
  const installed = `${folder}/node_modules/@kite/kite`;
  const manifest = JSON.parse(await Deno.readTextFile(`${installed}/package.json`));

  await t.step("it has the version, license and entry points of deno.json", async () => {
    const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
    assertEquals(manifest.version, config.version);
    assertEquals(manifest.license, config.license);
    assertEquals(manifest.engines, { node: ">=22" });
    assertEquals(Object.keys(manifest.exports), Object.keys(config.exports));
    for (const page of ["README.md", "LICENSE", "CHANGELOG.md"]) {
      assertEquals(
        await Deno.readTextFile(`${installed}/${page}`),
        await Deno.readTextFile(new URL(page, ROOT)),
      );
    }
  });

  await t.step("its dependencies are plain npm packages; drivers of storages are optional", () => {
    for (const [name, range] of Object.entries<string>(manifest.dependencies)) {
      assert(!name.startsWith("@std/") && !name.startsWith("@jsr/"), name);
      assertMatch(range, /^\^\d+\.\d+\.\d+$/, name);
    }
    assertEquals(Object.keys(manifest.peerDependencies), ["etcd3", "postgres"]);
    for (const name of ["etcd3", "postgres"]) {
      assert(manifest.peerDependenciesMeta[name].optional);
      assert(manifest.dependencies[name] === undefined);
    }
  });

  await t.step("every import leads to a file of the package or a dependency", async () => {
    for await (const { path, text } of modules(installed)) {
      for (const [, specifier = ""] of text.matchAll(IMPORT)) {
        if (specifier.startsWith(".")) {
          const target = new URL(specifier, `file://${path}`).pathname;
          const file = path.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target;
          assert((await Deno.stat(file)).isFile, `${path}: ${specifier}`);
        } else if (!specifier.startsWith("node:") && !specifier.startsWith("@kite/kite")) {
          const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? "";
          const known = { ...manifest.dependencies, ...manifest.peerDependencies };
          assert(name in known, `${path}: ${specifier}`);
        }
      }
    }
  });

  await project.write("src/program.ts", PROGRAM);
  for (const resolution of RESOLUTIONS) {
    await t.step(`TypeScript accepts it, strict, ${resolution.moduleResolution}`, async () => {
      await project.write(
        "tsconfig.json",
        JSON.stringify({
          compilerOptions: {
            ...resolution,
            target: "es2022",
            lib: ["es2022", "esnext.disposable", "dom", "dom.iterable"],
            strict: true,
            exactOptionalPropertyTypes: true,
            noUncheckedIndexedAccess: true,
            noEmit: true,
            types: ["node"],
          },
          include: ["src"],
        }),
      );
      const { success, stdout } = await run(folder, "npx", ["tsc"]);
      assert(success, stdout);
    });
  }

  await t.step("Vite builds a page with it", async () => {
    await project.write("index.html", '<script type="module" src="/page.js"></script>');
    await project.write("page.js", PAGE);
    const { success, stdout, stderr } = await run(folder, "npx", ["vite", "build"]);
    assert(success, stdout + stderr);
    assertStringIncludes(stdout, "dist/index.html");
    assert(!(stdout + stderr).includes("externalized"), "it needs a module of Node");
    const [script = ""] = [...Deno.readDirSync(`${folder}/dist/assets`)].map(({ name }) => name);
    const bytes = await gzippedBytes(await Deno.readTextFile(`${folder}/dist/assets/${script}`));
    assert(bytes <= MOST_PAGE_BYTES, `${bytes} bytes`);
  });

  await t.step("publint finds nothing", async () => {
    const { success, stdout, stderr } = await run(folder, "npx", ["publint", "--strict", tarball]);
    assert(success, stdout + stderr);
    assertStringIncludes(stdout, "All good!");
  });

  await t.step("are-the-types-wrong finds nothing", async () => {
    // ES modules only: what `require` sees under older versions of Node does not count.
    const args = ["attw", "--profile", "esm-only", "--format", "json", tarball];
    const { success, stdout, stderr } = await run(folder, "npx", args);
    assert(success, stdout + stderr);
  });

  for (const { name, program } of findRuntimes()) {
    await t.step(`${name} loads every entry point without the drivers of storages`, async () => {
      const entries = Object.keys(manifest.exports).map((entry) =>
        entry.replace(/^\./, "@kite/kite")
      );
      const text = entries.map((entry) =>
        `console.log(Object.keys(await import("${entry}")).length > 0);`
      );
      await project.write("entries.js", text.join("\n"));
      assertEquals(await succeed(folder, program, "entries.js"), "true\n".repeat(entries.length));
    });

    await t.step(`${name} runs every command`, async () => {
      for (const command of Object.keys(manifest.bin)) {
        const version = await succeed(folder, program, `node_modules/.bin/${command}`, "-version");
        assertMatch(version, /^\d+\.\d+\.\d+\n$/);
      }
    });
  }
});

const IMPORT = /(?:^(?:import|export)[^;"']*?from|^import|\bimport\() ?"([^"]+)"/gm;

/** Reads every module and declaration file below a folder. */
async function* modules(folder: string): AsyncGenerator<{ path: string; text: string }> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* modules(path);
    else if (/\.(js|d\.ts)$/.test(name)) yield { path, text: await Deno.readTextFile(path) };
  }
}
