/**
 * Selects the test files of a run, and says how each may run and what it needs.
 *
 * @module
 */

import { UnknownWord } from "./command_line.ts";
import { graphOf } from "./imports.ts";
import { type Part, PARTS } from "./parts.ts";
import { fromFileUrl, ROOT } from "./paths.ts";

/** The test files and the other arguments of a command line. */
export interface Selection {
  /** Paths; each file once. */
  readonly files: readonly string[];
  /** Flags for `deno test`. */
  readonly flags: readonly string[];
}

/** The modules through which tests ask for programs from outside. */
const ASK_FOR_PARTS: readonly string[] = ["tests/support/parts.ts", "tests/support/postgres.ts"];

/**
 * Matches tests that must not run in parallel: they change state of the whole process, or contain a
 * comment that begins with `serial:`.
 */
const SERIAL =
  /\bDeno\.(env\.(set|delete)|chdir|umask)\(|\bDeno\.kill\(Deno\.pid\b|^\/\/ serial: /m;

/**
 * Splits arguments into test files and flags.
 *
 * @param args files, folders of test files, and flags of `deno test`; without files and folders,
 * all tests are selected
 * @throws {UnknownWord} for a file or folder that does not exist
 */
export function selectTests(args: readonly string[]): Selection {
  const files = new Set<string>();
  const flags: string[] = [];
  let hasPaths = false;
  for (const [index, arg] of args.entries()) {
    const found = arg.startsWith("-") ? undefined : testFiles(arg);
    const isValue = /^--?[^=]+$/.test(args[index - 1] ?? "");
    if (found === undefined && !arg.startsWith("-") && !isValue) {
      throw new UnknownWord("file or folder", arg, testFiles("tests") ?? []);
    }
    if (found === undefined) flags.push(arg);
    else hasPaths = true;
    for (const file of found ?? []) files.add(file);
  }
  return { files: hasPaths ? [...files] : testFiles("tests") ?? [], flags };
}

/** The test files of a path, or undefined if there is no such path. */
function testFiles(path: string): string[] | undefined {
  try {
    const url = new URL(path, ROOT);
    if (Deno.statSync(url).isFile) return [path];
    const entries = [...Deno.readDirSync(url)].sort((a, b) => a.name < b.name ? -1 : 1);
    const folder = path.replace(/\/$/, "");
    return entries.flatMap(({ name, isDirectory }) => {
      const child = `${folder}/${name}`;
      if (isDirectory) return name === "node_modules" ? [] : testFiles(child) ?? [];
      return name.endsWith("_test.ts") ? [child] : [];
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** True if a test file may run in parallel with others, in a thread of the same process. */
export function runsInParallel(file: string): boolean {
  return !SERIAL.test(read(file));
}

/**
 * Finds out which programs from outside the tests of some files may need.
 *
 * @param files as {@link selectTests} returns them
 * @returns the parts that these files, or test modules which they import, name
 */
export async function partsOf(files: readonly string[]): Promise<Part[]> {
  let text: string;
  try {
    const graph = await graphOf(files);
    text = [...graph].filter(([, imports]) => imports.some((one) => ASK_FOR_PARTS.includes(one)))
      .map(([file]) => read(file)).join("\n");
  } catch {
    // The file contains an error, which `deno test` will report.
    text = files.map(read).join("\n");
  }
  const usesPostgres = text.includes("support/postgres.ts");
  return PARTS.filter((part) => text.includes(`"${part}"`) || part === "postgres" && usesPostgres);
}

function read(file: string): string {
  return Deno.readTextFileSync(fromFileUrl(new URL(file, ROOT)));
}
