import { KiteError } from "../protocol/errors.ts";
import { env, homeDirectory } from "../runtime/env.ts";
import { makeDirectory, readTextFile, writeFileAtomic } from "../runtime/files.ts";
import type { JwtClaims } from "./claims.ts";
import { readTokenClaims, signToken } from "./jwt.ts";
import type { PrivateKey } from "./keys.ts";

/** What goes into a new kite.key. */
export interface KiteKeyOptions {
  /** The user whom it speaks for. */
  readonly username: string;
  /** Kontrol's username. */
  readonly kontrolUser: string;
  /** Where Kontrol is, as its kites reach it. */
  readonly kontrolUrl: string;
  /** What it is signed with. */
  readonly privateKey: PrivateKey;
  /** The public half of `privateKey`, PEM. */
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
   * @default 5 minutes ago, for clocks that are late
   */
  readonly issuedAt?: number;
  /**
   * Whether its Kontrol signs key handovers, which the user's kites then require before they trust
   * a new key. Set it to false for a Kontrol that cannot sign them, such as the Go Kontrol.
   *
   * @default true
   */
  readonly signsHandovers?: boolean;
}

/** Milliseconds by which the clocks of machines may differ, as Kontrol's tokens allow. */
const LEEWAY = 300_000;

/**
 * Signs a kite.key: the JWT with which a user's kites prove themselves to Kontrol and to each other.
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
    if (value === "") throw new KiteError("configError", `a kite.key needs a ${name}`);
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
 * What a kite.key says, **unverified**: whose it is, which Kontrol it belongs to.
 *
 * @throws {KiteError} `authenticationError`, if the text is no JWT.
 */
export function readKiteKeyClaims(kiteKey: string): JwtClaims {
  return readTokenClaims(kiteKey.trim());
}

/** The directory of `kite.key`: `$KITE_HOME`, else `~/.kite`; `""` where neither is known. */
export function kiteHome(): string {
  const home = env("KITE_HOME");
  if (home !== undefined && home !== "") return home;
  const user = homeDirectory();
  return user === "" ? "" : `${user}/.kite`;
}

/**
 * The text of `kite.key`, trimmed; `undefined` if there is no such file.
 *
 * @param directory default: {@linkcode kiteHome}
 * @throws {KiteError} `configError`: it cannot be read, or is no kite.key.
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
 * Puts `kite.key` in place, in one step, for its owner's eyes only (directory 0700, file 0400).
 *
 * @param directory default: {@linkcode kiteHome}
 * @throws {KiteError} `configError`: the text is no kite.key, or cannot be written.
 */
export async function writeKiteKeyFile(
  kiteKey: string,
  directory: string = kiteHome(),
): Promise<void> {
  if (directory === "") {
    throw new KiteError("configError", "no place for kite.key: set KITE_HOME to a directory");
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
    throw new KiteError("configError", `${path} is no kite.key`, { cause: error });
  }
}
