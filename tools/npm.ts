/**
 * `deno task npm`: builds the npm package, a tarball in `dist/`.
 *
 * `deno pack` translates the modules to JavaScript with types. It supports neither programs nor
 * optional dependencies, so this script adds them.
 *
 * @module
 */

import typescript from "typescript";
import { ETCD3_RANGE } from "../kontrol/storage/etcd_grpc.ts";
import { readFlags, runProgram } from "./command_line.ts";
import { publishedFiles } from "./imports.ts";
import { CACHE, fromFileUrl, ROOT } from "./paths.ts";
import { readPrograms } from "./programs.ts";

/** The members of deno.json that the package is made from. */
interface Config {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
  readonly compilerOptions: Readonly<Record<string, unknown>>;
}

/** What `deno pack` writes. */
interface Packed {
  readonly exports: Record<string, { types: string; import: string; default: string }>;
  readonly dependencies: Record<string, string>;
}

/** Dependencies of storages, which users install only if they need them. */
const OPTIONAL: readonly string[] = ["etcd3", "postgres"];
/** Dependencies of the type declarations, which `deno pack` does not see. */
const TYPES: readonly string[] = ["@standard-schema/spec"];
const PAGES: readonly string[] = ["README.md", "LICENSE", "CHANGELOG.md"];

/** The folder of release files. */
export const DIST: URL = new URL("dist/", ROOT);

/**
 * Builds the package.
 *
 * @returns the tarball
 */
export async function buildPackage(): Promise<URL> {
  const config: Config = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  await Deno.mkdir(CACHE, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: fromFileUrl(CACHE) });
  try {
    await copySources(config, folder);
    const raw = `${folder}/raw.tgz`;
    await run(folder, Deno.execPath(), "pack", "--quiet", "--allow-dirty", `--output=${raw}`);
    const unpacked = `${folder}/unpacked`;
    await Deno.mkdir(unpacked);
    await run(folder, "tar", "-xzf", raw, "-C", unpacked);
    await finish(config, `${unpacked}/package`);
    await Deno.mkdir(DIST, { recursive: true });
    const tarball = new URL(tarballName(config), DIST);
    await run(unpacked, "tar", "-czf", fromFileUrl(tarball), "package");
    return tarball;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * The modules of the commands. Where there are no permissions, one command is enough for Kontrol.
 */
async function commands(): Promise<Record<string, string>> {
  const programs = await readPrograms();
  const wanted = programs.filter(({ name }) => name !== "kontrol-local");
  return Object.fromEntries(wanted.map(({ name, entry }) => [name, entry]));
}

/** The name that npm gives to a tarball. */
function tarballName({ name, version }: Config): string {
  return `${name.slice(1).replace("/", "-")}-${version}.tgz`;
}

/** Copies what is published, with a deno.json whose exports include the programs. */
async function copySources(config: Config, folder: string): Promise<void> {
  for (const file of [...publishedFiles(), ...PAGES, "deno.lock"]) {
    await Deno.mkdir(`${folder}/${file}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.copyFile(new URL(file, ROOT), `${folder}/${file}`);
  }
  const { name, version, license, exports, imports, compilerOptions } = config;
  const programs = Object.entries(await commands())
    .map(([command, entry]) => [`./${command}-main`, `./${entry}`]);
  await Deno.writeTextFile(
    `${folder}/deno.json`,
    JSON.stringify({
      ...{ name, version, license, imports, compilerOptions },
      exports: { ...exports, ...Object.fromEntries(programs) },
      publish: { exclude: ["deno.lock", "raw.tgz"] },
    }),
  );
}

/** Adds programs and package.json to the unpacked package. */
async function finish(config: Config, folder: string): Promise<void> {
  await finishModules(folder);
  const packed: Packed = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
  const bin: Record<string, string> = {};
  await Deno.mkdir(`${folder}/bin`);
  for (const [program, path] of Object.entries(await commands())) {
    delete packed.exports[`./${program}-main`];
    bin[program] = `bin/${program}.js`;
    await Deno.writeTextFile(`${folder}/bin/${program}.js`, starter(path), { mode: 0o755 });
  }
  const dependencies = { ...packed.dependencies };
  for (const name of TYPES) dependencies[name] = rangeOf(config, name);
  const peers: Record<string, string> = {};
  for (const name of OPTIONAL) {
    delete dependencies[name];
    peers[name] = name === "etcd3" ? ETCD3_RANGE : rangeOf(config, name);
  }
  const manifest = {
    name: config.name,
    version: config.version,
    description:
      "Services that call each other's functions, both ways, with discovery and signed identities",
    keywords: ["kite", "kontrol", "rpc", "dnode", "sockjs", "websocket", "service-discovery"],
    license: config.license,
    ...repository(),
    type: "module",
    engines: { node: ">=22" },
    sideEffects: false,
    exports: Object.fromEntries(
      Object.entries(packed.exports).map(([entry, { types, default: code }]) => [
        entry,
        { types, default: code },
      ]),
    ),
    bin,
    dependencies: sorted(dependencies),
    peerDependencies: peers,
    peerDependenciesMeta: Object.fromEntries(OPTIONAL.map((name) => [name, { optional: true }])),
  };
  await Deno.writeTextFile(`${folder}/package.json`, JSON.stringify(manifest, null, 2) + "\n");
}

/**
 * Removes modules that no entry point imports, which `deno pack` copies as they are, and rewrites
 * `using`, which Node 22 cannot parse.
 */
async function finishModules(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) {
      await finishModules(path);
    } else if (name.endsWith(".js")) {
      const text = await Deno.readTextFile(path);
      if (/^\s*(await )?using /m.test(text)) await Deno.writeTextFile(path, withoutUsing(text));
    } else if (name.endsWith(".ts") && !name.endsWith(".d.ts")) {
      await Deno.remove(path);
    }
  }
}

function withoutUsing(text: string): string {
  const { ES2022: target } = typescript.ScriptTarget;
  const { ESNext: module } = typescript.ModuleKind;
  const options = { compilerOptions: { target, module, removeComments: false } };
  return typescript.transpileModule(text, options).outputText;
}

/** The repository that builds a release; npm compares it with the provenance. */
function repository(): { repository?: { type: string; url: string } } {
  const server = Deno.env.get("GITHUB_SERVER_URL");
  const path = Deno.env.get("GITHUB_REPOSITORY");
  if (server === undefined || path === undefined) return {};
  return { repository: { type: "git", url: `git+${server}/${path}.git` } };
}

/** A module that runs a program: `import.meta.main` does not work for a command that npm linked. */
function starter(path: string): string {
  return [
    "#!/usr/bin/env node",
    'import { argv, exit } from "node:process";',
    `import { main } from "../${path.replace(/\.ts$/, ".js")}";`,
    "",
    "exit(await main(argv.slice(2)));",
    "",
  ].join("\n");
}

/** The range of versions of a dependency: what follows the name in "npm:name@^1.0.0". */
function rangeOf({ imports }: Config, name: string): string {
  const range = /^npm:.+@(.+)$/.exec(imports[name] ?? "")?.[1];
  if (range === undefined) throw new Error(`deno.json names no version of ${name}`);
  return range;
}

function sorted(entries: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(entries).sort(([a], [b]) => a < b ? -1 : 1));
}

async function run(cwd: string, program: string, ...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  if (success) return;
  const text = new TextDecoder();
  throw new Error(
    `Cannot run ${program} ${args[0]}:\n${text.decode(stdout)}${text.decode(stderr)}`,
  );
}

const USAGE = `Usage: deno task npm

Builds the npm package, a tarball in dist/, and prints its path. It takes no flags.`;

async function main(words: readonly string[]): Promise<number> {
  readFlags(words, {});
  console.log(fromFileUrl(await buildPackage()));
  return 0;
}

if (import.meta.main) await runProgram(USAGE, Deno.args, () => main(Deno.args));
