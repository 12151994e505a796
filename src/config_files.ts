import { KiteError } from "./protocol/errors.ts";
import { readKiteKeyClaims } from "./auth/kite_key.ts";
import { checkName, checkNames, checkPath, checkPem, checkUrls } from "./config_values.ts";
import { cannotUse } from "./protocol/refusal.ts";

/** Reads a file; `undefined` if it is not there. */
export type ReadFile = (path: string) => string | undefined;

/** What a kite.key says of its owner and of Kontrol. */
export interface KiteKeySettings {
  readonly kiteKey?: string;
  readonly username?: string;
  readonly kontrolUser?: string;
  readonly kontrolUrl?: readonly string[];
  readonly kontrolKey?: string;
}

/** A certificate (chain) and its private key, both PEM. */
export interface TlsPair {
  /** The certificate, and those that lead to its root. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
}

/** Where a certificate (chain) and its private key are. */
export interface TlsFiles {
  /** The path of the certificate. */
  readonly certFile: string;
  /** The path of its private key. */
  readonly keyFile: string;
}

/**
 * What a kite.key gives, unverified: it is the user's own.
 *
 * @param given Its text, `""` for none at all; otherwise it is read from the directory `home`.
 * @param warn Called when the system does not let us read the file, which then counts as missing.
 * @throws {KiteError} `configError`, naming the file (or the option) and what is wrong with it.
 */
export function readKiteKey(
  given: string | undefined,
  home: string,
  readFile: ReadFile,
  warn: (message: string) => void = () => {},
): KiteKeySettings {
  const path = `${home}/kite.key`;
  const text = given ?? (home === "" ? "" : readIfAllowed(path, readFile, warn)?.trim() ?? "");
  if (text === "") return {};
  const name = given === undefined ? path : "kiteKey";
  const { sub, iss, kontrolURL, kontrolKey } = claimsOf(name, text);
  return {
    kiteKey: text,
    ...(sub && { username: checkName(`sub in ${name}`, sub) }),
    ...(iss && { kontrolUser: checkName(`iss in ${name}`, iss) }),
    ...(kontrolURL && { kontrolUrl: checkUrls(`kontrolURL in ${name}`, kontrolURL) }),
    ...(kontrolKey && { kontrolKey: checkPem(`kontrolKey in ${name}`, kontrolKey) }),
  };
}

/** Reads a file; one that this user may not read counts as missing. */
function readIfAllowed(
  path: string,
  readFile: ReadFile,
  warn: (message: string) => void,
): string | undefined {
  try {
    return readFile(path);
  } catch (error) {
    if (!(error instanceof KiteError) || !["EACCES", "EPERM"].includes(error.code)) throw error;
    warn(`Running without a kite.key: ${error.message}`);
    return undefined;
  }
}

function claimsOf(name: string, text: string): ReturnType<typeof readKiteKeyClaims> {
  try {
    return readKiteKeyClaims(text);
  } catch (cause) {
    throw cannotUse(name, "must be a kite.key, as Kontrol gave it when registering", { cause });
  }
}

/**
 * A certificate and its key, from their text or from their files.
 *
 * @throws {KiteError} `configError`, naming the part that is missing or wrong.
 */
export function readTls(given: unknown, readFile: ReadFile): TlsPair {
  const { cert, key, certFile, keyFile } = checkNames("tls", given, [
    "cert",
    "key",
    "certFile",
    "keyFile",
  ]);
  const inline = cert !== undefined && key !== undefined;
  const files = certFile !== undefined && keyFile !== undefined;
  if (inline && certFile === undefined && keyFile === undefined) {
    return { cert: checkPem("tls.cert", cert), key: checkPem("tls.key", key) };
  }
  if (files && cert === undefined && key === undefined) {
    return {
      cert: readPem("tls.certFile", certFile, readFile),
      key: readPem("tls.keyFile", keyFile, readFile),
    };
  }
  throw cannotUse("tls", "must be { cert, key } or { certFile, keyFile }");
}

function readPem(
  name: string,
  given: unknown,
  readFile: ReadFile,
): string {
  const path = checkPath(name, given);
  const text = readFile(path);
  if (text === undefined) {
    const rule = "must be the path of a PEM file that exists and may be read";
    throw cannotUse(name, rule, { value: path });
  }
  return checkPem(`${name} ${path}`, text);
}
