/**
 * Prepares the external programs of tests and benchmarks: the Go peer and the kite.js peer.
 *
 * @module
 */

import { GO_KITECTL, GO_PEER, KITEJS_PEER, type Part, programOf } from "./parts.ts";
import { CACHE, fromFileUrl, ROOT } from "./paths.ts";

const GO_SOURCES = new URL("tests/interop/go/", ROOT);

/**
 * Builds the Go peer and installs the kite.js peer, where they are missing or older than their
 * sources. `lack` reports what could not be prepared.
 *
 * @param parts which of them are needed
 * @param say called before something that takes a while
 */
export async function prepareParts(
  parts: readonly Part[],
  say: (what: string) => void,
): Promise<void> {
  await Deno.mkdir(new URL("interop/", CACHE), { recursive: true });
  await Promise.all([
    parts.includes("go") && buildGoPeer(say),
    parts.includes("node") && installKitejsPeer(say),
  ]);
}

async function run(program: string, args: string[], cwd: URL): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, {
      args,
      cwd: fromFileUrl(cwd),
      stdin: "null",
    }).spawn().status;
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** When the newest file of a folder was changed; 0 where there is none. */
function changed(folder: URL): number {
  let newest = 0;
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    const { mtime } = Deno.statSync(new URL(name, folder));
    if (isFile) newest = Math.max(newest, mtime?.getTime() ?? 0);
  }
  return newest;
}

function modified(file: URL): number {
  try {
    return Deno.statSync(file).mtime?.getTime() ?? 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

async function removeIfThere(file: URL): Promise<void> {
  await Deno.remove(file).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

async function buildGoPeer(say: (what: string) => void): Promise<void> {
  const go = programOf("go");
  if (go === undefined || modified(GO_PEER) > changed(GO_SOURCES)) return;
  say("Building the Go peer …");
  const kitectl = ["build", "-o", fromFileUrl(GO_KITECTL), "github.com/koding/kite/kitectl"];
  const peer = ["build", "-o", fromFileUrl(GO_PEER), "."];
  if (await run(go, kitectl, GO_SOURCES) && await run(go, peer, GO_SOURCES)) return;
  // A peer that was built from older sources must not be used. `lack` reports that it is missing.
  await removeIfThere(GO_PEER);
}

async function installKitejsPeer(say: (what: string) => void): Promise<void> {
  const installed = new URL("node_modules/.package-lock.json", KITEJS_PEER);
  const wanted = new URL("package-lock.json", KITEJS_PEER);
  if (programOf("node") === undefined || modified(installed) > modified(wanted)) return;
  say("Installing the kite.js peer …");
  const npm = Deno.build.os === "windows" ? "npm.cmd" : "npm";
  await run(npm, ["ci", "--no-audit", "--no-fund", "--loglevel=error"], KITEJS_PEER);
}
