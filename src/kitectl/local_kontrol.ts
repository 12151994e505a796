import { kiteHome, readKiteKeyClaims, readKiteKeyFile } from "../auth/kite_key.ts";
import { env } from "../runtime/env.ts";
import { readTextFile } from "../runtime/files.ts";
import { KeyRing } from "../../kontrol/key_ring.ts";
import { openStorage } from "../../kontrol/program/open_storage.ts";
import { readProgramSettings, type Settings } from "../../kontrol/program/settings.ts";
import type { Storage } from "../../kontrol/storage/storage.ts";
import { readGiven } from "./command.ts";
import { type Context, noHome } from "./context.ts";
import { EXIT, Failure } from "./exit_codes.ts";

/** The storage and the keys of the Kontrol on this machine, which may be running. */
export interface LocalKontrol extends AsyncDisposable {
  readonly settings: Settings;
  readonly storage: Storage;
  readonly keys: KeyRing;
  /** Kontrol's user. */
  readonly username: string;
  /** Kontrol's URL, from its own kite.key. */
  readonly url: string;
}

/** The part of the help that tells how a command finds Kontrol. */
export const LOCAL_HELP = `
It works on the machine of Kontrol, on Kontrol's own storage and keys. Where Kontrol has flags or
KONTROL_ variables for these, give the command the same ones; flags follow after --.`;

/** Reads the settings of Kontrol as its program does. */
export function readLocalSettings(context: Context, flags: readonly string[]): Settings {
  if (kiteHome() === "" && (env("KONTROL_HOME") ?? "") === "") {
    throw noHome("find Kontrol's folder");
  }
  const settings = readGiven(() =>
    readProgramSettings(flags, env, (warning) => context.screen.note(`warning: ${warning}`))
  );
  if (settings !== "help") return settings;
  throw new Failure("Cannot use -help after --: `deno task kontrol -help` lists the flags", {
    code: EXIT.usage,
  });
}

/**
 * Opens the storage and the keys of the Kontrol on this machine.
 *
 * @param flags flags of Kontrol's program
 * @throws {Failure} if there is no Kontrol on this machine
 */
export async function openLocalKontrol(
  context: Context,
  flags: readonly string[],
): Promise<LocalKontrol> {
  const settings = readLocalSettings(context, flags);
  const kiteKey = await readKiteKeyFile(settings.home);
  if (kiteKey === undefined) {
    throw new Failure(`Cannot find Kontrol: ${settings.home} has no kite.key of its own`, {
      hint:
        `Run this on Kontrol's machine, as its user; \`${context.program} up\` starts a Kontrol`,
    });
  }
  const { iss = "", kontrolURL = "" } = readKiteKeyClaims(kiteKey);
  const storage = await openStorage(settings, () => {});
  try {
    const keys = new KeyRing({
      keyPairs: storage.keyPairs,
      kiteKey: () => kiteKey,
      kontrolUser: () => iss,
      kontrolUrl: () => kontrolURL,
    });
    const privateKey = await readTextFile(`${settings.home}/key.pem`);
    // The memory of another process cannot be opened; the key pair is in the files too.
    if (settings.storage === "memory" && privateKey !== undefined) await keys.add({ privateKey });
    return {
      settings,
      storage,
      keys,
      username: iss,
      url: kontrolURL,
      [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
    };
  } catch (error) {
    await storage[Symbol.asyncDispose]();
    throw error;
  }
}
