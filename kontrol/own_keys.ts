import {
  createKiteKey,
  readKiteKeyClaims,
  readKiteKeyFile,
  writeKiteKeyFile,
} from "../src/auth/kite_key.ts";
import { canonicalPublicKey, generateKeyPair, importPrivateKey } from "../src/auth/keys.ts";
import { KiteError, messageOf } from "../src/protocol/errors.ts";
import { createFile, makeDirectory, readTextFile, writeFileAtomic } from "../src/runtime/files.ts";
import { addKeyPair, checkNewPair, isValid } from "./key_ring.ts";
import type { KeyPairs } from "./storage/storage.ts";

/** The default user, the same on every machine, so that several Kontrols agree. */
const DEFAULT_USERNAME = "kontrol";

/** The options of {@linkcode prepareOwnKeys}. */
export interface OwnKeysOptions {
  /**
   * The directory of Kontrol's `key.pem`, `key_pub.pem` and `kite.key`, which are created if missing.
   *
   * @default none: the key pair is only in the storage
   */
  readonly home?: string | undefined;
  /**
   * Kontrol's username.
   *
   * @default that of its kite.key, else "kontrol"
   */
  readonly username?: string | undefined;
  /**
   * Kontrol's URL as kites reach it.
   *
   * @default that of its kite.key, else `defaultUrl`
   */
  readonly kontrolUrl?: string | undefined;
  /** Kontrol's URL on this machine. */
  readonly defaultUrl: string;
  /** The paths of a key pair to use instead of the one in `home`. */
  readonly keyFiles?: { readonly publicKey: string; readonly privateKey: string } | undefined;
  /**
   * A directory whose kite.key provides the username and URL if `home` has none.
   *
   * @default none
   */
  readonly adoptFrom?: string | undefined;
}

/** A Kontrol's own keys. */
export interface OwnKeys {
  /** Kontrol's own kite.key. */
  readonly kiteKey: string;
  readonly username: string;
  readonly kontrolUrl: string;
  /** Kontrol's public key, PEM. */
  readonly publicKey: string;
  /** Says where the key pair came from. */
  readonly keyPairNote: string;
  /** Writes the kite.key to `home`, from which the next start takes the username and the URL. */
  save(): Promise<void>;
}

interface LocalPair {
  readonly publicKey: string;
  readonly privateKey: string;
  readonly note: string;
}

/**
 * Loads or creates Kontrol's key pair, adds it to the storage, and creates Kontrol's own kite.key.
 * Several Kontrols that start at the same time with one `home` get the same key pair.
 *
 * @throws {KiteError} `configError`: a file cannot be read or written; or an error of the storage
 */
export async function prepareOwnKeys(
  options: OwnKeysOptions,
  keyPairs: KeyPairs,
): Promise<OwnKeys> {
  const { home, adoptFrom = "" } = options;
  const own = home === undefined
    ? undefined
    : await readKiteKeyFile(home) ?? await readKiteKeyFile(adoptFrom);
  const claims = own === undefined ? {} : readKiteKeyClaims(own);
  const username = options.username ?? claims.iss ?? DEFAULT_USERNAME;
  const kontrolUrl = options.kontrolUrl ?? givenUrl(claims.kontrolURL, options) ??
    options.defaultUrl;
  const pair = await findPair(options, keyPairs);
  const kiteKey = await createKiteKey({
    username,
    kontrolUser: username,
    kontrolUrl,
    privateKey: await importPrivateKey(pair.privateKey),
    publicKeyPem: pair.publicKey,
  });
  const { publicKey, note: keyPairNote } = pair;
  const save = async (): Promise<void> => {
    if (home === undefined) return;
    await makeDirectory(home, 0o700);
    await writeFileAtomic(`${home}/kite.key`, kiteKey, 0o600);
  };
  return { kiteKey, username, kontrolUrl, publicKey, keyPairNote, save };
}

async function findPair(
  { home, keyFiles }: OwnKeysOptions,
  keyPairs: KeyPairs,
): Promise<LocalPair> {
  const paths = keyFiles ??
    (home && { publicKey: `${home}/key_pub.pem`, privateKey: `${home}/key.pem` });
  if (paths) {
    const local = await readPair(paths.publicKey, paths.privateKey, keyFiles !== undefined);
    if (local !== undefined) return await share(local, `read from ${paths.privateKey}`, keyPairs);
  }
  const shared = (await keyPairs.list()).find(isValid);
  if (shared !== undefined) {
    const note = "found in the storage, shared with other Kontrols";
    return { publicKey: shared.public, privateKey: shared.private, note };
  }
  const made = await generateKeyPair();
  if (!paths) return await share(made, "created in the storage", keyPairs);
  await makeDirectory(home ?? ".", 0o700);
  // Only one of several Kontrols creates the private key; all then write the same public key.
  const isOurs = await createFile(paths.privateKey, `${made.privateKey}\n`, 0o600);
  const pair = isOurs ? made : await readPair(paths.publicKey, paths.privateKey, true);
  await writeFileAtomic(paths.publicKey, `${pair!.publicKey}\n`, 0o600);
  const note = isOurs ? "created in" : "read from";
  return await share(pair!, `${note} ${paths.privateKey}`, keyPairs);
}

/** Adds a pair to the storage, for its other Kontrols. */
async function share(
  { publicKey, privateKey }: Omit<LocalPair, "note">,
  note: string,
  keyPairs: KeyPairs,
): Promise<LocalPair> {
  const pair = { id: crypto.randomUUID(), public: publicKey, private: privateKey };
  const stored = await addKeyPair(keyPairs, pair);
  return { publicKey: stored.public, privateKey: stored.private, note };
}

async function readPair(
  publicPath: string,
  privatePath: string,
  isGiven: boolean,
): Promise<Omit<LocalPair, "note"> | undefined> {
  const privateKey = await readTextFile(privatePath);
  if (privateKey === undefined) {
    if (!isGiven) return undefined;
    throw new KiteError("configError", `Cannot use -privatekeyfile: ${privatePath} does not exist`);
  }
  const publicKey = await readTextFile(publicPath);
  try {
    const given = publicKey === undefined ? { privateKey } : { privateKey, publicKey };
    const { public: checked, private: text } = await checkNewPair(given);
    return { publicKey: checked, privateKey: text };
  } catch (cause) {
    const message = `Cannot use the keys ${privatePath} and ${publicPath}: ${messageOf(cause)}`;
    throw new KiteError("configError", message, { cause });
  }
}

/** The result of {@linkcode giveUserKey}. */
export interface UserKey {
  /** What was done, or what the operator must do. */
  readonly note: string;
  /** True if the user's kites can use the kite.key at this Kontrol. */
  readonly isUsable: boolean;
}

/**
 * Writes a kite.key for Kontrol's user, unless there is one. Replaces the user's existing one if its
 * key pair was deleted, or if it names an address of this machine where Kontrol listened before.
 *
 * @param directories `home` is Kontrol's, `kiteHome` the user's; `""` for none
 * @param kiteKey the new kite.key
 * @param keyPairs this Kontrol's pairs, including deleted ones
 * @param kontrolUrl the URL of this Kontrol
 */
export async function giveUserKey(
  { kiteHome, home }: { readonly kiteHome: string; readonly home: string },
  kiteKey: string,
  keyPairs: KeyPairs,
  kontrolUrl: string,
): Promise<UserKey> {
  if (kiteHome === "" || kiteHome === home) {
    return { note: `in ${home}/kite.key`, isUsable: true };
  }
  const path = `${kiteHome}/kite.key`;
  const present = await readKiteKeyFile(kiteHome);
  if (present === undefined) {
    await writeKiteKeyFile(kiteKey, kiteHome);
    return { note: `written to ${path}`, isUsable: true };
  }
  const { kontrolKey = "", kontrolURL: url = kontrolUrl, sub } = readKiteKeyClaims(present);
  const named = canonicalPublicKey(kontrolKey);
  const pair = (await keyPairs.list()).find((one) => canonicalPublicKey(one.public) === named);
  if (pair === undefined) {
    const note = `${path} belongs to ANOTHER Kontrol and was not changed; ` +
      `remove it and restart, or set KITE_HOME=${home} for kites of this Kontrol`;
    return { note, isUsable: false };
  }
  const isOwners = sub === readKiteKeyClaims(kiteKey).sub;
  if (isOwners && !isValid(pair)) {
    await writeKiteKeyFile(kiteKey, kiteHome);
    return { note: `renewed in ${path}, since its key pair was deleted`, isUsable: true };
  }
  if (url === kontrolUrl) {
    return { note: `${path} already belongs to this Kontrol`, isUsable: true };
  }
  if (isOwners && isLoopback(url)) {
    await writeKiteKeyFile(kiteKey, kiteHome);
    return { note: `renewed in ${path}, which named ${url}`, isUsable: true };
  }
  const note =
    `${path} belongs to this Kontrol, but names ${url}; set KITE_KONTROL_URL, or remove it`;
  return { note, isUsable: true };
}

/** The URL of an existing kite.key, unless it is only an address where Kontrol listened before. */
function givenUrl(url: string | undefined, { keyFiles }: OwnKeysOptions): string | undefined {
  if (url === undefined) return undefined;
  // With key files of the operator, the operator's kite.key may name a loopback address, as in Go.
  const isDefault = isLoopback(url) && (keyFiles === undefined || url.includes("//localhost:"));
  return isDefault ? undefined : url;
}

/** True for a URL on this machine, such as Kontrol's default URL. */
function isLoopback(url: string): boolean {
  if (!URL.canParse(url)) return false;
  return /^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(url).hostname);
}

/** Kontrol's URL for kites on this machine. */
export function localUrl(ip: string, port: number, isSecure: boolean): string {
  const isLocal = ["", "0.0.0.0", "::", "127.0.0.1"].includes(ip);
  const host = isLocal ? "localhost" : ip.includes(":") ? `[${ip}]` : ip;
  return `${isSecure ? "https" : "http"}://${host}:${port}/kite`;
}
