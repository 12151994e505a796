import { messageOf } from "../../src/protocol/errors.ts";
import { makeDirectory } from "../../src/runtime/files.ts";
import { writeError } from "../../src/runtime/terminal.ts";
import { Kontrol } from "../kontrol.ts";
import { giveUserKey, localUrl, type OwnKeys, prepareOwnKeys, type UserKey } from "../own_keys.ts";
import type { KeyPairs, Storage } from "../storage/storage.ts";
import { openStorage } from "./open_storage.ts";
import type { Settings } from "./settings.ts";

/** A running Kontrol. */
export interface StartedKontrol {
  readonly kontrol: Kontrol;
  /** Its storage; closed together with it. */
  readonly storage: Storage;
  /** The URL on which it listens. */
  readonly url: string;
  readonly username: string;
  /** Says where its key pair came from. */
  readonly keyPairNote: string;
  /** The result for the user's kite.key. */
  readonly userKey: UserKey;
}

/**
 * Starts a Kontrol, and writes a kite.key for its user.
 *
 * @throws {KiteError} `configError`, or an error of the storage
 */
export async function startKontrol(settings: Settings): Promise<StartedKontrol> {
  await makeDirectory(settings.home, 0o700);
  let report = (error: unknown): void => writeError(`kontrol: storage: ${messageOf(error)}`);
  const storage = await openStorage(settings, (error) => report(error));
  let kontrol: Kontrol | undefined;
  try {
    const own = await prepareKeys(settings, storage.keyPairs);
    kontrol = createKontrol(settings, own, storage);
    const { log } = kontrol.kite;
    report = (error) => log.warning(`storage: ${messageOf(error)}`);
    const { url } = await kontrol.listen();
    // Not before: an address on which Kontrol cannot listen must not get into any kite.key.
    await own.save();
    const kiteKey = await kontrol.keys.signKiteKey(own.username);
    const userKey = await giveUserKey(settings, kiteKey, storage.keyPairs, kontrol.url);
    const { username, keyPairNote } = own;
    return { kontrol, storage, url, username, keyPairNote, userKey };
  } catch (error) {
    await (kontrol ?? storage)[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Creates the key pair and kite.keys, as the first start does, without starting Kontrol.
 *
 * @throws {KiteError} `configError`, or an error of the storage
 */
export async function initializeKontrol(
  settings: Settings,
): Promise<Pick<StartedKontrol, "keyPairNote" | "userKey">> {
  await makeDirectory(settings.home, 0o700);
  await using storage = await openStorage(
    settings,
    (error) => writeError(`kontrol: storage: ${messageOf(error)}`),
  );
  const { keyPairs } = storage;
  const { kiteKey, kontrolUrl, keyPairNote, save } = await prepareKeys(settings, keyPairs);
  await save();
  return { keyPairNote, userKey: await giveUserKey(settings, kiteKey, keyPairs, kontrolUrl) };
}

function createKontrol(settings: Settings, own: OwnKeys, storage: Storage): Kontrol {
  const { registerUrl, tlsCertFile: certFile, tlsKeyFile: keyFile } = settings;
  const tls = certFile === undefined || keyFile === undefined ? {} : { tls: { certFile, keyFile } };
  return new Kontrol({
    storage,
    kiteKey: own.kiteKey,
    kontrolUrl: own.kontrolUrl,
    ...(registerUrl === undefined ? {} : { registerUrl }),
    policy: settings.policy,
    register: settings.register,
    version: settings.version,
    kite: { ip: settings.ip, port: settings.port, ...tls },
  });
}

/** Loads or creates Kontrol's own keys. */
function prepareKeys(settings: Settings, keyPairs: KeyPairs): Promise<OwnKeys> {
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
