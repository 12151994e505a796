import { KiteError } from "./protocol/errors.ts";
import { readKiteKeyClaims } from "./auth/kite_key.ts";
import { checkName, checkNames, checkPath, checkPem, checkUrls } from "./config_values.ts";
import { cannotUse } from "./protocol/refusal.ts";

/** Reads a file. Returns undefined if it does not exist. */
export type ReadFile = (path: string) => string | undefined;

/** The settings in a kite.key. */
export interface KiteKeySettings {
  readonly kiteKey?: string;
  readonly username?: string;
  readonly kontrolUser?: string;
  readonly kontrolUrl?: readonly string[];
  readonly kontrolKey?: string;
}

/** A certificate chain and its private key, both PEM. */
export interface TlsPair {
  /** The certificate, followed by the intermediate certificates. */
  readonly cert: string;
  /** The private key. */
  readonly key: string;
}

/** The files of a certificate chain and its private key. */
export interface TlsFiles {
  /** The path of the certificate. */
  readonly certFile: string;
  /** The path of the private key. */
  readonly keyFile: string;
}

/**
 * Returns the settings in a kite.key. It is not verified, since it belongs to the user.
 *
 * @param given the text of the kite.key, `""` for none; if undefined, it is read from the directory
 * @param home the directory of the file
 * @param warn called if there is no permission to read the file, which is then ignored
 * @throws {KiteError} `configError` if the kite.key cannot be used
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

/** Reads a file. Returns undefined if there is no permission to read it. */
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
 * Reads a certificate and its key from the options or from the files that they name.
 *
 * @throws {KiteError} `configError` if a part is missing or cannot be used
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
