import { entryAt, moveFolder, removeFolder } from "../runtime/folders.ts";
import { makeDirectory } from "../runtime/files.ts";
import { Sha256 } from "../runtime/sha256.ts";
import { ARCHIVE_LIMITS, unpack } from "./archive.ts";
import { type AddCommand, examples } from "./command.ts";
import type { Context } from "./context.ts";
import { EXIT, Failure } from "./exit_codes.ts";
import { type InstalledKite, kitesFolder, placeOf } from "./installed.ts";
import { openSource, readManifest } from "./source.ts";

interface InstallOptions {
  readonly as?: string;
  readonly sha256?: string;
}

/** `kitectl install`: installs a kite from a repository, a manifest or an archive. */
export const addInstall: AddCommand = (program, context) => {
  const { program: name } = context;
  program.command("install")
    .description("install a kite")
    .argument(
      "<source>",
      "github.com/USER/REPOSITORY, or an https URL or file: a manifest (.json) or a .tar.gz",
    )
    .option("--as <name>", "the name to install it under: domain/user/repository[/version]")
    .option("--sha256 <checksum>", "the SHA-256 that the archive must have")
    .addHelpText(
      "after",
      "\nThe archive holds one folder, NAME-VERSION.kite, with the program bin/NAME. Links, absolute\n" +
        "paths and `..` are refused, and so is more than 256 MiB packed or 512 MiB unpacked.\n" +
        examples(
          `${name} install github.com/koding/fs.kite`,
          `${name} install https://example.com/fs-1.0.0.kite.tar.gz --sha256 9f86d0…`,
          `${name} install ./fs-1.0.0.kite.tar.gz`,
        ),
    )
    .action((source: string, options: InstallOptions) => install(context, source, options));
};

async function install(context: Context, source: string, options: InstallOptions): Promise<void> {
  const { screen, signal } = context;
  const isRepository = /^github\.com\/[^/]+\/[^/]+\/?$/.test(source);
  const manifestPlace = isRepository ? manifestOf(source) : source;
  const isManifest = isRepository || /\.json$/i.test(new URL(source, "file:///").pathname);
  const manifest = isManifest
    ? await screen.whileWaiting(
      "Downloading the manifest",
      () => readManifest(context, manifestPlace),
    )
    : undefined;
  const expected = options.sha256 ?? manifest?.sha256;
  if (expected !== undefined && !/^[0-9a-f]{64}$/i.test(expected)) {
    throw new Failure("Cannot use the checksum: must be a SHA-256, 64 hexadecimal digits", {
      code: EXIT.usage,
    });
  }
  const archive = manifest?.archive ?? source;
  const origin = isRepository ? source.replace(/\/$/, "") : `${hostOf(archive)}/archive`;
  const root = kitesFolder();
  const staging = `${root}/.installing-${crypto.randomUUID()}`;
  await makeDirectory(staging, 0o700);
  try {
    const sha256 = new Sha256();
    let received = 0;
    const bytes = heard(await openSource(context, archive), (chunk) => {
      signal.throwIfAborted();
      received += chunk.length;
      sha256.update(chunk);
    });
    const folder = await screen.whileWaiting(
      () => `Installing, ${(received / 1024 / 1024).toFixed(1)} MiB`,
      () => unpack(bytes, staging, ARCHIVE_LIMITS),
    );
    const actual = sha256.hex();
    if (expected !== undefined && actual !== expected.toLowerCase()) {
      throw new Failure(`Cannot install the archive: its SHA-256 is ${actual}, not ${expected}`);
    }
    const kite = placeFor(folder, origin, manifest?.version, options.as);
    await put(`${staging}/${folder}`, kite);
    screen.print(`Installed ${kite.name}`);
  } finally {
    await removeFolder(staging);
  }
}

/** Determines a kite's name: as requested, from its repository, or from its folder. */
function placeFor(
  folder: string,
  origin: string,
  version: string | undefined,
  as: string | undefined,
): InstalledKite {
  const match = /^(.+?)(?:-(\d[^/]*?))?(?:\.kite)?$/.exec(folder);
  const found = version ?? match?.[2];
  const named = as ?? (origin.endsWith("/archive") ? `${origin}/${match?.[1]}.kite` : origin);
  if (named.split("/").length >= 4) return placeOf(named);
  if (found !== undefined) return placeOf(`${named}/${found}`);
  throw new Failure(`Cannot tell the version: the folder ${JSON.stringify(folder)} has none`, {
    code: EXIT.usage,
    hint: `Give it with --as ${named}/VERSION`,
  });
}

async function put(from: string, kite: InstalledKite): Promise<void> {
  const program = await entryAt(`${from}/bin/${kite.shortName}`);
  if (program?.kind !== "file") {
    throw new Failure(`Cannot install the archive: it has no program bin/${kite.shortName}`, {
      hint: "With --as domain/user/NAME, bin/NAME is the program",
    });
  }
  if (await entryAt(kite.folder) !== undefined) {
    throw new Failure(`Cannot install ${kite.name}: it is installed already`, {
      hint: `\`kitectl uninstall ${kite.name}\` removes it`,
    });
  }
  await makeDirectory(kite.folder.slice(0, kite.folder.lastIndexOf("/")), 0o700);
  await moveFolder(from, kite.folder);
}

function manifestOf(repository: string): string {
  const [, user, name] = repository.split("/");
  return `https://raw.githubusercontent.com/${user}/${name}/HEAD/.kite.json`;
}

function hostOf(place: string): string {
  return /^https:/i.test(place) ? new URL(place).hostname : "local";
}

async function* heard(
  bytes: AsyncIterable<Uint8Array>,
  hear: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    hear(chunk);
    yield chunk;
  }
}
