import {
  createKiteKey,
  readKiteKeyClaims,
  readKiteKeyFile,
  writeKiteKeyFile,
} from "../../src/auth/kite_key.ts";
import { generateKeyPair, importPrivateKey } from "../../src/auth/keys.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { makeDirectory, readTextFile, writeFileAtomic } from "../../src/runtime/files.ts";
import { checkNewPair, isValid } from "../keypairs.ts";
import type { KeyPairs } from "../storage/storage.ts";
import type { Settings } from "./settings.ts";

/** Kontrol's user when none is named: the same on every machine, so that many Kontrols agree. */
const DEFAULT_USERNAME = "kontrol";

/** What Kontrol starts with, and what was done for it. */
export interface Start {
  /** Kontrol's own kite.key. */
  readonly kiteKey: string;
  readonly username: string;
  readonly kontrolUrl: string;
  /** Kontrol's public key, PEM. */
  readonly publicKey: string;
  /** Where the key pair came from. */
  readonly keyPairNote: string;
}

interface LocalPair {
  readonly publicKey: string;
  readonly privateKey: string;
  readonly note: string;
}

/** Finds or makes what a Kontrol needs for itself: its key pair and its own kite.key. */
export async function prepareStart(settings: Settings, keyPairs: KeyPairs): Promise<Start> {
  const ownPath = `${settings.home}/kite.key`;
  const own = await readKiteKeyFile(settings.home) ?? await adoptUserKey(settings);
  const claims = own === undefined ? {} : readKiteKeyClaims(own);
  const username = settings.username ?? claims.iss ?? DEFAULT_USERNAME;
  const kontrolUrl = settings.kontrolUrl ?? givenUrl(claims.kontrolURL) ?? defaultUrl(settings);
  const pair = await findPair(settings, keyPairs);
  const kiteKey = await createKiteKey({
    username,
    kontrolUser: username,
    kontrolUrl,
    privateKey: await importPrivateKey(pair.privateKey),
    publicKeyPem: pair.publicKey,
  });
  await makeDirectory(settings.home, 0o700);
  await writeFileAtomic(ownPath, kiteKey, 0o600);
  return {
    kiteKey,
    username,
    kontrolUrl,
    publicKey: pair.publicKey,
    keyPairNote: pair.note,
  };
}

/** With key files of the owner's own, the user's kite.key tells who Kontrol is, as in Go. */
async function adoptUserKey(settings: Settings): Promise<string | undefined> {
  if (settings.publicKeyFile === undefined || settings.kiteHome === "") return undefined;
  return await readKiteKeyFile(settings.kiteHome);
}

async function findPair(settings: Settings, keyPairs: KeyPairs): Promise<LocalPair> {
  const { publicKeyFile, privateKeyFile, home } = settings;
  const isGiven = publicKeyFile !== undefined && privateKeyFile !== undefined;
  const privatePath = isGiven ? privateKeyFile : `${home}/key.pem`;
  const publicPath = isGiven ? publicKeyFile : `${home}/key_pub.pem`;
  const local = await readPair(publicPath, privatePath, isGiven);
  if (local !== undefined) {
    await keyPairs.add({
      id: crypto.randomUUID(),
      public: local.publicKey,
      private: local.privateKey,
    });
    return { ...local, note: `read from ${privatePath}` };
  }
  const shared = (await keyPairs.list()).find(isValid);
  if (shared !== undefined) {
    const note = "found in the storage, where other Kontrols share it";
    return { publicKey: shared.public, privateKey: shared.private, note };
  }
  const made = await generateKeyPair();
  const publicKey = made.publicKey.trim();
  const privateKey = made.privateKey.trim();
  await makeDirectory(home, 0o700);
  await writeFileAtomic(privatePath, privateKey + "\n", 0o600);
  await writeFileAtomic(publicPath, publicKey + "\n", 0o600);
  await keyPairs.add({ id: crypto.randomUUID(), public: publicKey, private: privateKey });
  return { publicKey, privateKey, note: `made, and kept in ${privatePath}` };
}

async function readPair(
  publicPath: string,
  privatePath: string,
  isGiven: boolean,
): Promise<Omit<LocalPair, "note"> | undefined> {
  const privateKey = await readTextFile(privatePath);
  if (privateKey === undefined) {
    if (!isGiven) return undefined;
    throw new KiteError("configError", `-privatekeyfile: ${privatePath} is not there`);
  }
  const publicKey = await readTextFile(publicPath);
  try {
    const given = publicKey === undefined ? { privateKey } : { privateKey, publicKey };
    const { public: checked, private: text } = await checkNewPair(given);
    return { publicKey: checked, privateKey: text };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new KiteError("configError", `${privatePath} and ${publicPath}: ${reason}`, { cause });
  }
}

/**
 * Gives Kontrol's user a first kite.key, unless there is one.
 *
 * @param kontrolUrl where Kontrol really is, as the new kite.key says
 * @returns what was done
 */
export async function giveUserKey(
  { kiteHome, home }: Settings,
  kiteKey: string,
  publicKey: string,
  kontrolUrl: string,
): Promise<string> {
  if (kiteHome === "" || kiteHome === home) return `kept in ${home}/kite.key`;
  const path = `${kiteHome}/kite.key`;
  const present = await readKiteKeyFile(kiteHome);
  if (present === undefined) {
    await writeKiteKeyFile(kiteKey, kiteHome);
    return `written to ${path}`;
  }
  const claims = readKiteKeyClaims(present);
  if (claims.kontrolKey?.trim() !== publicKey) {
    return `${path} is there, of ANOTHER Kontrol, and was left alone; kites here need one of this one`;
  }
  return claims.kontrolURL === undefined || claims.kontrolURL === kontrolUrl
    ? `${path} is there, and of this Kontrol`
    : `${path} is there, of this Kontrol but at ${claims.kontrolURL}; set KITE_KONTROL_URL, or remove it`;
}

/** The URL of an older kite.key, unless we made it up from the port of that time. */
function givenUrl(url: string | undefined): string | undefined {
  return url === undefined || /^https?:\/\/localhost:\d+\/kite$/.test(url) ? undefined : url;
}

function defaultUrl({ port, tlsCertFile }: Settings): string {
  return `${tlsCertFile === undefined ? "http" : "https"}://localhost:${port}/kite`;
}
