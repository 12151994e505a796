/**
 * Where this project is.
 *
 * @module
 */

import { relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of deno.json, ending in a slash. */
export const ROOT: URL = new URL("../", import.meta.url);

/** The folder of built files; git ignores it. */
export const CACHE: URL = new URL(".cache/", ROOT);

/** Turns a file URL into a path of this system. */
export const fromFileUrl: (url: URL) => string = fileURLToPath;

/**
 * Selects the lock file of what only the tests and tools import. Deno downloads everything in
 * `deno.lock` before it runs a task, so that file holds only what the programs need.
 */
export const TEST_LOCK = `--lock=${fromFileUrl(new URL("tests/deno.lock", ROOT))}`;

/** A file's path from the project's folder, with `/`. */
export function relativePath(path: string): string {
  return relative(fileURLToPath(ROOT), path).replaceAll("\\", "/");
}
