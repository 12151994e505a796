import { DEFAULT_PORT, Kontrol, type KontrolOptions } from "./kontrol.ts";
import { localUrl, prepareOwnKeys } from "./own_keys.ts";

/** What {@linkcode createKontrol} makes a Kontrol from. */
export interface CreateKontrolOptions extends Omit<KontrolOptions, "kiteKey"> {
  /**
   * The directory of Kontrol's `key.pem`, `key_pub.pem` and `kite.key`, which are made there when
   * they are missing. With a storage that keeps nothing, every kite.key is void after a restart
   * unless this is set.
   *
   * @default none: the key pair is only in the storage
   */
  readonly home?: string;
  /**
   * Kontrol's username, the issuer of all it signs.
   *
   * @default that of its kite.key, else "kontrol"
   */
  readonly username?: string;
}

/**
 * Creates a Kontrol with a key pair and a kite.key of its own: those in `home`, those that the
 * storage holds, or new ones. It does not listen yet.
 *
 * @throws {KiteError} `configError`: a key file cannot be used or written; or that of the storage.
 *
 * @example
 * ```ts
 * import { createKontrol, MemoryStorage } from "@kite/kite/kontrol";
 *
 * await using kontrol = await createKontrol({
 *   storage: new MemoryStorage(),
 *   kite: { ip: "127.0.0.1", port: 0, logLevel: "ERROR" },
 * });
 * await kontrol.listen();
 * const kiteKey = await kontrol.keys.signKiteKey("alice");
 * ```
 */
export async function createKontrol(options: CreateKontrolOptions): Promise<Kontrol> {
  const { home, username, ...rest } = options;
  const { ip = "0.0.0.0", port = DEFAULT_PORT, tls } = options.kite ?? {};
  const { kiteKey, kontrolUrl } = await prepareOwnKeys({
    home,
    username,
    kontrolUrl: options.kontrolUrl,
    defaultUrl: localUrl(ip, port, tls !== undefined),
  }, options.storage.keyPairs);
  return new Kontrol({ ...rest, kontrolUrl, kiteKey });
}
