import { Kite } from "../kite.ts";
import type { KiteOptions } from "../kite_options.ts";
import { VERSION } from "../protocol/package_version.ts";
import { env } from "../runtime/env.ts";
import { Failure } from "./exit_codes.ts";
import type { Screen } from "./screen.ts";

/** The context of every command. */
export interface Context {
  readonly screen: Screen;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Leaves Ctrl-C to a program that is run in place of this one. */
  readonly ignoreInterrupt: () => void;
  /** The command with which the user runs this program. */
  readonly program: string;
}

/** Returns the command with which the user runs this program. */
export function programName(): string {
  return (env("INIT_CWD") ?? "") === "" ? "kitectl" : "deno task kitectl";
}

/** Resolves a path against the folder of the user, since `deno task` changes the folder. */
export function userPath(path: string): string {
  const from = env("INIT_CWD") ?? "";
  return from === "" || path.startsWith("/") || /^[A-Za-z]:[\\/]/.test(path)
    ? path
    : `${from}/${path}`;
}

/**
 * Creates the kite that makes the calls of a command. It logs nothing; the command reports errors.
 */
export function createKite(options: KiteOptions = {}): Kite {
  return new Kite("kitectl", VERSION, { logLevel: "FATAL", ...options });
}

/** Creates the error for a command that needs the folder of the kite.key, if it is unknown. */
export function noHome(what: string): Failure {
  return new Failure(`Cannot ${what}: the home directory is unknown`, {
    hint: "Set KITE_HOME to a folder",
  });
}

/** {@linkcode createKite} for a command that needs Kontrol. */
export function createKiteWithKontrol({ program }: Context): Kite {
  const kite = createKite();
  const { kontrolUrls, kiteHome } = kite.config;
  if (kontrolUrls.length > 0) return kite;
  if (kiteHome === "") throw noHome("find Kontrol");
  throw new Failure(`Cannot find Kontrol: there is no kite.key in ${kiteHome}`, {
    hint: `\`${program} register\` gets one; \`${program} up\` starts a Kontrol of your own`,
  });
}
