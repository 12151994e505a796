import { KiteError } from "../protocol/errors.ts";
import { cannotUse } from "../protocol/refusal.ts";
import { env, homeDirectory } from "../runtime/env.ts";
import { makeDirectory, readTextFile, writeFileAtomic } from "../runtime/files.ts";
import type { JwtClaims } from "./claims.ts";
import { readTokenClaims, signToken } from "./jwt.ts";
import type { PrivateKey } from "./keys.ts";

/** The content of a new kite.key. */
export interface KiteKeyOptions {
  /** The user whose kites it authenticates. */
  readonly username: string;
  /** Kontrol's username. */
  readonly kontrolUser: string;
  /** The URL at which kites reach Kontrol. */
  readonly kontrolUrl: string;
  /** The key that signs it. */
  readonly privateKey: PrivateKey;
  /** The public key of `privateKey`, PEM. */
  readonly publicKeyPem: string;
  /**
   * Its `jti`.
   *
   * @default a new UUID
   */
  readonly id?: string;
  /**
   * When it was issued, milliseconds since 1970.
   *
   * @default 5 minutes ago, since the clocks of other machines may be slow
   */
  readonly issuedAt?: number;
  /**
   * Whether its Kontrol signs key handovers. If so, the user's kites require one before they trust a
   * new key. Set it to false for a Kontrol that cannot sign them, such as the Go Kontrol.
   *
   * @default true
   */
  readonly signsHandovers?: boolean;
}

/** Accepted clock difference, milliseconds; the same as for Kontrol's tokens. */
const LEEWAY = 300_000;

/**
 * Signs a kite.key: the JWT that authenticates a user's kites to Kontrol and to each other.
 *
 * @throws {KiteError} `configError`, naming the option that is empty.
 *
 * @example
 * ```ts
 * import { createKiteKey, generateKeyPair, importPrivateKey } from "@kite/kite/kontrol";
 *
 * const pair = await generateKeyPair();
 * const kiteKey = await createKiteKey({
 *   username: "alice",
 *   kontrolUser: "kontrol",
 *   kontrolUrl: "http://localhost:4000/kite",
 *   privateKey: await importPrivateKey(pair.privateKey),
 *   publicKeyPem: pair.publicKey,
 * });
 * ```
 */
export async function createKiteKey(options: KiteKeyOptions): Promise<string> {
  const { username, kontrolUser, kontrolUrl } = options;
  const publicKeyPem = options.publicKeyPem.trim();
  for (const [name, value] of Object.entries({ username, kontrolUser, kontrolUrl, publicKeyPem })) {
    if (value === "") throw cannotUse(name, "must not be empty in a kite.key");
  }
  return await signToken({
    iss: kontrolUser,
    sub: username,
    iat: Math.floor((options.issuedAt ?? Date.now() - LEEWAY) / 1000),
    jti: options.id ?? crypto.randomUUID(),
    kontrolURL: kontrolUrl,
    kontrolKey: publicKeyPem,
    ...(options.signsHandovers === false ? {} : { keyHandover: true }),
  }, options.privateKey);
}

/**
 * Returns the **unverified** claims of a kite.key, such as its user and its Kontrol.
 *
 * @throws {KiteError} `authenticationError` if the text is not a JWT.
 */
export function readKiteKeyClaims(kiteKey: string): JwtClaims {
  return readTokenClaims(kiteKey.trim());
}

/** Returns the directory of `kite.key`: `$KITE_HOME` or `~/.kite`; `""` if neither is known. */
export function kiteHome(): string {
  const home = env("KITE_HOME");
  if (home !== undefined && home !== "") return home;
  const user = homeDirectory();
  return user === "" ? "" : `${user}/.kite`;
}

/**
 * Reads the file `kite.key`.
 *
 * @param directory the directory of the file, {@linkcode kiteHome} by default
 * @returns the trimmed text; `undefined` if there is no such file
 * @throws {KiteError} `configError` if the file cannot be read or is not a kite.key
 */
export async function readKiteKeyFile(
  directory: string = kiteHome(),
): Promise<string | undefined> {
  if (directory === "") return undefined;
  const path = `${directory}/kite.key`;
  const text = (await readTextFile(path))?.trim();
  if (text === undefined) return undefined;
  checkText(text, path);
  return text;
}

/**
 * Writes the file `kite.key` atomically, readable only by its owner (directory 0700, file 0400).
 *
 * @param directory the directory of the file, {@linkcode kiteHome} by default
 * @throws {KiteError} `configError` if the text is not a kite.key, or cannot be written
 */
export async function writeKiteKeyFile(
  kiteKey: string,
  directory: string = kiteHome(),
): Promise<void> {
  if (directory === "") {
    const reason = "the home directory is unknown; set KITE_HOME to a directory";
    throw new KiteError("configError", `Cannot write kite.key: ${reason}`);
  }
  const text = kiteKey.trim();
  const path = `${directory}/kite.key`;
  checkText(text, path);
  await makeDirectory(directory, 0o700);
  await writeFileAtomic(path, text, 0o400);
}

function checkText(text: string, path: string): void {
  try {
    readTokenClaims(text);
  } catch (error) {
    throw new KiteError("configError", `Cannot use ${path}: not a kite.key`, { cause: error });
  }
}
