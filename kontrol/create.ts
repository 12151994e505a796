import { DEFAULT_PORT, Kontrol } from "./kontrol.ts";
import type { KontrolOptions } from "./options.ts";
import { localUrl, prepareOwnKeys } from "./own_keys.ts";

/** The options of {@linkcode createKontrol}. */
export interface CreateKontrolOptions extends Omit<KontrolOptions, "kiteKey"> {
  /**
   * The directory of Kontrol's `key.pem`, `key_pub.pem` and `kite.key`, which are created if missing.
   * Set it when you use a memory storage; otherwise all kite.keys become invalid on a restart.
   *
   * @default none: the key pair is only in the storage
   */
  readonly home?: string;
  /**
   * Kontrol's username, the issuer of everything it signs.
   *
   * @default that of its kite.key, else "kontrol"
   */
  readonly username?: string;
}

/**
 * Creates a Kontrol with its own key pair and kite.key: those in `home`, those in the storage, or new
 * ones. It does not listen yet.
 *
 * @throws {KiteError} `configError`: a key file cannot be read or written; or an error of the storage
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
  const { kiteKey, kontrolUrl, save } = await prepareOwnKeys({
    home,
    username,
    kontrolUrl: options.kontrolUrl,
    defaultUrl: localUrl(ip, port, tls !== undefined),
  }, options.storage.keyPairs);
  await save();
  return new Kontrol({ ...rest, kontrolUrl, kiteKey });
}
