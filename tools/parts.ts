/**
 * The external programs that some tests need: where they are, and how to get them.
 *
 * @module
 */

import { CACHE, fromFileUrl, ROOT } from "./paths.ts";

/** A program or folder that a test may need. */
export type Part = "go" | "node" | "etcd" | "postgres" | "pgbouncer" | "chromium";

interface Recipe {
  /** Names to look for on the path, in order of preference. */
  readonly programs: readonly string[];
  /** Further folders to look in. */
  readonly folders?: () => readonly string[];
  /** What `deno task test` prepares with the program. The part is usable once this file exists. */
  readonly product?: URL;
  /** How to get it. */
  readonly remedy: string;
}

/** The Go kite for the tests, which `deno task test` builds. */
export const GO_PEER: URL = new URL("interop/peer", CACHE);
/** Go's own kitectl, which `deno task test` builds too. */
export const GO_KITECTL: URL = new URL("interop/kitectl", CACHE);
/** The folder of the kite.js peer. */
export const KITEJS_PEER: URL = new URL("tests/interop/kitejs/", ROOT);

const RECIPES: Record<Part, Recipe> = {
  go: {
    programs: ["go"],
    product: GO_PEER,
    remedy: "install Go 1.24 or newer, then run `deno task test`",
  },
  node: {
    programs: ["node"],
    product: new URL("node_modules/kite.js/package.json", KITEJS_PEER),
    remedy: "install Node 20 or newer with npm, then run `deno task test`",
  },
  etcd: { programs: ["etcd"], remedy: "install the package etcd-server" },
  postgres: {
    programs: ["postgres"],
    folders: debianPostgres,
    remedy: "install the package postgresql",
  },
  pgbouncer: {
    programs: ["pgbouncer"],
    // Debian keeps it off the path of ordinary users.
    folders: () => ["/usr/sbin"],
    remedy: "install the package pgbouncer",
  },
  chromium: {
    programs: ["chromium", "chromium-browser", "google-chrome"],
    remedy: "install the package chromium",
  },
};

/** All parts, in the order of reports. */
export const PARTS: readonly Part[] = Object.keys(RECIPES) as Part[];

/** Returns the path of a part's program, or undefined if it is not installed. */
export function programOf(part: Part): string | undefined {
  const { programs, folders } = RECIPES[part];
  for (const name of programs) {
    for (const folder of [...pathFolders(), ...(folders?.() ?? [])]) {
      const path = `${folder}/${name}`;
      if (isFile(path)) return path;
    }
  }
  return undefined;
}

/** Returns why a part cannot be used, in one line, or undefined if it can. */
export function lack(part: Part): string | undefined {
  const { programs, product, remedy } = RECIPES[part];
  if (programOf(part) === undefined) {
    return `${part}: ${programs.join(" or ")} is not installed; ${remedy}`;
  }
  if (product && !isFile(fromFileUrl(product))) return `${part}: not prepared; ${remedy}`;
  return undefined;
}

/** Whether a missing part is a failure, as it is with `CI=true`. */
export function isStrict(): boolean {
  return Deno.env.get("CI") === "true";
}

function pathFolders(): string[] {
  return (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
}

/** Debian does not put the server's programs on the path. It has a folder per version. */
function debianPostgres(): string[] {
  const versions = "/usr/lib/postgresql";
  try {
    const names = Array.from(Deno.readDirSync(versions), (entry) => entry.name);
    return names.sort((a, b) => Number(b) - Number(a)).map((name) => `${versions}/${name}/bin`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}
