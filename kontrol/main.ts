/**
 * Kontrol as a program: `deno run -A kontrol/main.ts`, with no configuration needed.
 *
 * @module
 */
import { KiteError } from "../src/protocol/errors.ts";
import { VERSION } from "../src/protocol/package_version.ts";
import { env, environmentNames } from "../src/runtime/env.ts";
import { exit, isMain, onInterrupt, printLine, programArguments } from "../src/runtime/process.ts";
import { writeError } from "../src/runtime/terminal.ts";
import { asksForVersion, settingsHelp, settingsWarnings } from "../src/flags.ts";
import { describeStorage } from "./program/open_storage.ts";
import { readProgramSettings, SETTINGS, type Settings } from "./program/settings.ts";
import { initializeKontrol, startKontrol } from "./program/start.ts";

const HELP = `Kontrol ${VERSION}: the registry of kites, which issues their keys and tokens.

Usage: kontrol [-flag=value ...]

Without flags it stores everything in an SQLite file, creates a key pair and a first
kite.key, and listens on port 4000. Each flag has an environment variable.

`;

/**
 * Runs Kontrol until the process is interrupted.
 *
 * @returns the exit code
 */
export async function main(words: readonly string[]): Promise<number> {
  try {
    if (env("KITE_VERSION") || asksForVersion(words)) {
      printLine(VERSION);
      return 0;
    }
    const settings = readProgramSettings(words, env, (warning) => {
      writeError(`kontrol: warning: ${warning}`);
    });
    if (settings === "help") {
      printLine(HELP + settingsHelp(SETTINGS));
      return 0;
    }
    for (const warning of settingsWarnings("KONTROL_", SETTINGS, environmentNames())) {
      writeError(`kontrol: warning: ${warning}`);
    }
    await run(settings);
    return 0;
  } catch (error) {
    if (!(error instanceof KiteError)) throw error;
    writeError(`kontrol: ${error.message}`);
    return 1;
  }
}

async function run(settings: Settings): Promise<void> {
  if (settings.initial) {
    const { keyPairNote, userKey } = await initializeKontrol(settings);
    return printLine(`key pair   ${keyPairNote}\nkite.key   ${userKey.note}`);
  }
  const { kontrol, url, username, keyPairNote, userKey } = await startKontrol(settings);
  const home = userKey.isUsable ? "" : `KITE_HOME=${settings.home} `;
  printLine(
    `Kontrol ${VERSION} listens at ${url}, its user is "${username}"\n` +
      `storage    ${describeStorage(settings)}\n` +
      `key pair   ${keyPairNote}\n` +
      `kite.key   ${userKey.note}\n` +
      `try        ${home}KITE_KONTROL_URL=${url} deno run -A examples/math_register.ts`,
  );
  const stopped = Promise.withResolvers<void>();
  const release = onInterrupt(() => kontrol.close().then(stopped.resolve, stopped.reject));
  await stopped.promise;
  release();
}

if (isMain(import.meta)) exit(await main(programArguments()));
