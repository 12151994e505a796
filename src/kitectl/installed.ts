import { kiteHome } from "../auth/kite_key.ts";
import { entryAt, listFolder } from "../runtime/folders.ts";
import { noHome } from "./context.ts";
import { EXIT, Failure } from "./exit_codes.ts";

/**
 * An installed kite: the folder `kites/<domain>/<user>/<repository>/<version>` beside the
 * kite.key, with the program `bin/<repository without .kite>`, as with Go's kitectl.
 */
export interface InstalledKite {
  /** Its domain, user, repository and version, with slashes. */
  readonly name: string;
  readonly version: string;
  /** Its short name: its repository without `.kite`. */
  readonly shortName: string;
  /** Its folder. */
  readonly folder: string;
  /** Its program. */
  readonly program: string;
}

/** A part of a name. It cannot be `.`, `..`, a hidden file or a path. */
const PART = /^[A-Za-z0-9_~+-][A-Za-z0-9_.~+-]{0,127}$/;

/** Returns the folder of all installed kites. */
export function kitesFolder(): string {
  const home = kiteHome();
  if (home !== "") return `${home}/kites`;
  throw noHome("find the installed kites");
}

/**
 * Returns where a kite is installed.
 *
 * @throws {Failure} for an invalid name, such as one with `..`
 */
export function placeOf(name: string): InstalledKite {
  const parts = name.split("/");
  const [, , repository, version] = parts;
  const isRight = parts.length === 4 && parts.every((part) => PART.test(part));
  if (!isRight || repository === undefined || version === undefined) {
    throw new Failure(
      `Cannot use ${JSON.stringify(name)}: must be domain/user/repository/version, ` +
        "such as github.com/koding/fs.kite/1.0.0",
      { code: EXIT.usage },
    );
  }
  const shortName = repository.replace(/\.kite$/, "");
  const folder = `${kitesFolder()}/${name}`;
  return { name, version, shortName, folder, program: `${folder}/bin/${shortName}` };
}

/** Returns all installed kites, sorted by name. */
export async function installedKites(): Promise<InstalledKite[]> {
  const root = kitesFolder();
  let names = [""];
  for (let level = 0; level < 4; level++) {
    const deeper = names.map(async (name) => {
      const entries = await listFolder(`${root}/${name}`);
      return entries.filter((entry) => entry.kind === "folder" && PART.test(entry.name))
        .map((entry) => name === "" ? entry.name : `${name}/${entry.name}`);
    });
    names = (await Promise.all(deeper)).flat();
  }
  const kites = names.map(placeOf);
  const isThere = await Promise.all(
    kites.map(async ({ program }) => (await entryAt(program))?.kind === "file"),
  );
  return kites.filter((_, i) => isThere[i]);
}

/**
 * Finds an installed kite by its short or full name.
 *
 * @throws {Failure} if none or several match
 */
export async function findInstalled(name: string): Promise<InstalledKite> {
  const all = await installedKites();
  const short = name.replace(/\.kite$/, "");
  const matches = all.filter((kite) => kite.name === name || kite.shortName === short);
  if (matches.length === 1) return matches[0]!;
  if (matches.length === 0) {
    throw new Failure(`Cannot find ${JSON.stringify(name)}: no kite of this name is installed`, {
      code: EXIT.notFound,
      hint: "`kitectl list` shows what is installed",
    });
  }
  throw new Failure(`Cannot choose ${JSON.stringify(name)}: several versions are installed`, {
    code: EXIT.usage,
    hint: `Give one of these: ${matches.map((kite) => kite.name).join(", ")}`,
  });
}
