/**
 * Kontrol as a program: `deno run -A kontrol/main.ts`, with no configuration needed.
 *
 * @module
 */
import { KiteError, messageOf } from "../src/protocol/errors.ts";
import { env, environmentNames } from "../src/runtime/env.ts";
import { exit, isMain, onInterrupt, printLine, programArguments } from "../src/runtime/process.ts";
import { writeError } from "../src/runtime/terminal.ts";
import { makeDirectory } from "../src/runtime/files.ts";
import { Kontrol, KONTROL_VERSION } from "./kontrol.ts";
import { asksForVersion, settingsHelp, settingsWarnings } from "../src/flags.ts";
import { describeStorage, openStorage } from "./program/open_storage.ts";
import { giveUserKey, localUrl, type OwnKeys, prepareOwnKeys } from "./own_keys.ts";
import type { KeyPairs } from "./storage/storage.ts";
import { readProgramSettings, SETTINGS, type Settings } from "./program/settings.ts";

const HELP = `Kontrol ${KONTROL_VERSION}: the registry of kites and issuer of their keys.

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
      printLine(KONTROL_VERSION);
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
  await makeDirectory(settings.home, 0o700);
  let report = (error: unknown): void => writeError(`kontrol: storage: ${messageOf(error)}`);
  const storage = await openStorage(settings, (error) => report(error));
  let kontrol: Kontrol;
  try {
    const start = await prepareStart(settings, storage.keyPairs);
    if (settings.initial) {
      const { note } = await giveUserKey(
        settings,
        start.kiteKey,
        storage.keyPairs,
        start.kontrolUrl,
      );
      printLine(`key pair   ${start.keyPairNote}\nkite.key   ${note}`);
      return await storage[Symbol.asyncDispose]();
    }
    kontrol = new Kontrol({
      storage,
      kiteKey: start.kiteKey,
      kontrolUrl: start.kontrolUrl,
      ...(settings.registerUrl === undefined ? {} : { registerUrl: settings.registerUrl }),
      policy: settings.policy,
      version: settings.version,
      kite: { ip: settings.ip, port: settings.port, ...tlsOf(settings) },
    });
    report = (error) => kontrol.kite.log.warning(`storage: ${messageOf(error)}`);
    const server = await kontrol.listen();
    const userKey = await kontrol.keys.signKiteKey(start.username);
    const { note, isUsable } = await giveUserKey(
      settings,
      userKey,
      storage.keyPairs,
      kontrol.url,
    );
    const home = isUsable ? "" : `KITE_HOME=${settings.home} `;
    printLine(
      `Kontrol ${KONTROL_VERSION} listens at ${server.url}, its user is "${start.username}"\n` +
        `storage    ${describeStorage(settings)}\n` +
        `key pair   ${start.keyPairNote}\n` +
        `kite.key   ${note}\n` +
        `try        ${home}KITE_KONTROL_URL=${server.url} deno run -A examples/math_register.ts`,
    );
  } catch (error) {
    await storage[Symbol.asyncDispose]();
    throw error;
  }
  const stopped = Promise.withResolvers<void>();
  const release = onInterrupt(() => kontrol.close().then(stopped.resolve, stopped.reject));
  await stopped.promise;
  release();
}

/** Loads or creates Kontrol's own keys. */
function prepareStart(settings: Settings, keyPairs: KeyPairs): Promise<OwnKeys> {
  const { home, username, kontrolUrl, publicKeyFile, privateKeyFile, kiteHome } = settings;
  const keyFiles = publicKeyFile === undefined || privateKeyFile === undefined
    ? undefined
    : { publicKey: publicKeyFile, privateKey: privateKeyFile };
  return prepareOwnKeys({
    home,
    username,
    kontrolUrl,
    defaultUrl: localUrl(settings.ip, settings.port, settings.tlsCertFile !== undefined),
    keyFiles,
    // With key files, the user's kite.key provides Kontrol's username and URL, as in Go.
    adoptFrom: keyFiles === undefined ? "" : kiteHome,
  }, keyPairs);
}

function tlsOf(
  { tlsCertFile, tlsKeyFile }: Settings,
): { tls?: { certFile: string; keyFile: string } } {
  return tlsCertFile === undefined || tlsKeyFile === undefined
    ? {}
    : { tls: { certFile: tlsCertFile, keyFile: tlsKeyFile } };
}

if (isMain(import.meta)) exit(await main(programArguments()));
