import { KiteError } from "../protocol/errors.ts";
import {
  type KeyKind,
  kindOfPkcs8,
  kindOfSpki,
  pkcs1PrivateToPkcs8,
  pkcs1PublicToSpki,
  sec1ToPkcs8,
} from "./der.ts";
import { readPem, writePem } from "./pem.ts";

/**
 * The signature algorithms of kites (RFC 7518, RFC 8037). Go kites and kite.js support only `RS256`.
 */
export type KeyAlgorithm = "RS256" | "ES256" | "EdDSA";

/** Every {@linkcode KeyAlgorithm}. */
export const KEY_ALGORITHMS: readonly KeyAlgorithm[] = Object.freeze(["RS256", "ES256", "EdDSA"]);

/** A key that verifies signatures. */
export interface PublicKey {
  /** The one algorithm that this key may be used with. */
  readonly algorithm: KeyAlgorithm;
  /** The key itself, as WebCrypto has it. */
  readonly key: CryptoKey;
}

/** A key that signs. It cannot be exported. */
export interface PrivateKey {
  /** The one algorithm that this key may be used with. */
  readonly algorithm: KeyAlgorithm;
  /** The key itself, as WebCrypto has it. */
  readonly key: CryptoKey;
}

/** A key pair in PEM format. */
export interface KeyPairPem {
  /** The signature algorithm. */
  readonly algorithm: KeyAlgorithm;
  /** `BEGIN PUBLIC KEY`, without a trailing line feed. */
  readonly publicKey: string;
  /** `BEGIN PRIVATE KEY`, without a trailing line feed. */
  readonly privateKey: string;
}

/** The minimum length of RSA keys, bits (RFC 7518, 3.3). */
const MIN_RSA_BITS = 2048;
/** The maximum length of RSA keys. Not every WebCrypto supports longer ones, and they are slow. */
const MAX_RSA_BITS = 8192;

interface WebCryptoParameters {
  readonly name: string;
  readonly hash?: string;
  readonly namedCurve?: string;
  readonly modulusLength?: number;
  readonly publicExponent?: Uint8Array<ArrayBuffer>;
}

/** The WebCrypto parameters to generate or import a key of each algorithm. */
const PARAMETERS: ReadonlyMap<KeyAlgorithm, WebCryptoParameters> = new Map([
  ["RS256", {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: MIN_RSA_BITS,
    publicExponent: new Uint8Array([1, 0, 1]),
  }],
  ["ES256", { name: "ECDSA", namedCurve: "P-256" }],
  ["EdDSA", { name: "Ed25519" }],
]);

/** The algorithm of each supported kind of key, by the name of the kind or of its curve. */
const ALGORITHM_OF_KIND: ReadonlyMap<string, KeyAlgorithm> = new Map([
  ["RSA", "RS256"],
  ["P-256", "ES256"],
  ["Ed25519", "EdDSA"],
]);

const SUPPORTED = "only RSA, P-256 and Ed25519 are supported";

/**
 * Imports a public key from PEM: `BEGIN PUBLIC KEY` or `BEGIN RSA PUBLIC KEY`; RSA from 2048 to
 * 8192 bits, P-256 or Ed25519. The kind of key determines the algorithm.
 *
 * @throws {KiteError} `configError`, which never quotes the key.
 */
export async function importPublicKey(pem: string): Promise<PublicKey> {
  const spki = readSpki(pem);
  return await importKey("spki", spki, kindOfSpki(spki), "verify");
}

/**
 * Returns the canonical text of a public key: `BEGIN PUBLIC KEY` with lines of 64 characters. Two
 * texts contain the same key if their canonical texts are equal. Line ends, white space, text around
 * the key, and PKCS#1 make no difference.
 *
 * @returns The canonical text, or the trimmed `pem` if it contains no public key.
 */
export function canonicalPublicKey(pem: string): string {
  try {
    return writePem("PUBLIC KEY", readSpki(pem));
  } catch (error) {
    if (error instanceof KiteError) return String(pem).trim();
    throw error;
  }
}

/**
 * Imports a private key from PEM: `BEGIN PRIVATE KEY`, `BEGIN RSA PRIVATE KEY` or
 * `BEGIN EC PRIVATE KEY`; RSA from 2048 to 8192 bits, P-256 or Ed25519.
 *
 * @throws {KiteError} `configError`, which never quotes the key.
 * @example
 * ```ts
 * import { generateKeyPair, importPrivateKey } from "@kite/kite/kontrol";
 *
 * const { privateKey } = await generateKeyPair("ES256");
 * console.assert((await importPrivateKey(privateKey)).algorithm === "ES256");
 * ```
 */
export async function importPrivateKey(pem: string): Promise<PrivateKey> {
  const pkcs8 = readPkcs8(pem);
  return await importKey("pkcs8", pkcs8, kindOfPkcs8(pkcs8), "sign");
}

/**
 * Returns the public key of a private key, as `BEGIN PUBLIC KEY` without a trailing line feed.
 *
 * @throws {KiteError} `configError`, which never quotes the key.
 */
export async function publicKeyOf(privateKeyPem: string): Promise<string> {
  const pkcs8 = readPkcs8(privateKeyPem);
  const { key, algorithm } = await importKey("pkcs8", pkcs8, kindOfPkcs8(pkcs8), "sign", true);
  const { kty, n, e, crv, x, y } = await crypto.subtle.exportKey("jwk", key);
  const half: JsonWebKey = JSON.parse(JSON.stringify({ kty, n, e, crv, x, y }));
  const parameters = parametersOf(algorithm);
  return await exportPublicKey(
    await crypto.subtle.importKey("jwk", half, parameters, true, ["verify"]),
  );
}

/**
 * Generates a key pair.
 *
 * @param algorithm default: "RS256" with 2048 bits, which every kite supports
 *
 * @example
 * ```ts
 * import { generateKeyPair } from "@kite/kite/kontrol";
 *
 * const { publicKey, privateKey } = await generateKeyPair("RS256");
 * console.assert(publicKey.startsWith("-----BEGIN PUBLIC KEY-----"));
 * console.assert(privateKey.startsWith("-----BEGIN PRIVATE KEY-----"));
 * ```
 */
export async function generateKeyPair(algorithm: KeyAlgorithm = "RS256"): Promise<KeyPairPem> {
  const pair = await crypto.subtle.generateKey(parametersOf(algorithm), true, [
    "sign",
    "verify",
  ]) as CryptoKeyPair;
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  return {
    algorithm,
    publicKey: await exportPublicKey(pair.publicKey),
    privateKey: writePem("PRIVATE KEY", pkcs8),
  };
}

function readSpki(pem: string): Uint8Array<ArrayBuffer> {
  const { label, der } = readPem(pem, ["PUBLIC KEY", "RSA PUBLIC KEY"]);
  return label === "RSA PUBLIC KEY" ? pkcs1PublicToSpki(der) : der;
}

function readPkcs8(pem: string): Uint8Array<ArrayBuffer> {
  const { label, der } = readPem(pem, ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"]);
  if (label === "RSA PRIVATE KEY") return pkcs1PrivateToPkcs8(der);
  return label === "EC PRIVATE KEY" ? sec1ToPkcs8(der) : der;
}

async function importKey(
  format: "spki" | "pkcs8",
  der: Uint8Array<ArrayBuffer>,
  kind: KeyKind | undefined,
  usage: KeyUsage,
  extractable = usage === "verify",
): Promise<PublicKey & PrivateKey> {
  if (kind === undefined) throw bad(`it is damaged or of an unknown kind; ${SUPPORTED}`);
  const algorithm = ALGORITHM_OF_KIND.get(kind.curve ?? kind.name);
  if (algorithm === undefined) {
    const is = kind.curve === undefined
      ? `its algorithm is ${kind.name}`
      : `its curve is ${kind.curve}`;
    throw bad(`${is}; ${SUPPORTED}`);
  }
  let key: CryptoKey;
  try {
    const parameters = parametersOf(algorithm);
    key = await crypto.subtle.importKey(format, der, parameters, extractable, [usage]);
  } catch {
    // The original message is omitted, since it could quote the key.
    throw bad("it is damaged");
  }
  const bits = (key.algorithm as Partial<RsaHashedKeyAlgorithm>).modulusLength;
  if (bits !== undefined && (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)) {
    throw bad(`it has ${bits} bits; RSA keys must have ${MIN_RSA_BITS} to ${MAX_RSA_BITS}`);
  }
  return { algorithm, key };
}

async function exportPublicKey(key: CryptoKey): Promise<string> {
  return writePem("PUBLIC KEY", new Uint8Array(await crypto.subtle.exportKey("spki", key)));
}

function parametersOf(algorithm: KeyAlgorithm): WebCryptoParameters {
  const parameters = PARAMETERS.get(algorithm);
  if (parameters !== undefined) return parameters;
  const known = KEY_ALGORITHMS.join(", ");
  throw new KiteError("configError", `Cannot use this key algorithm: must be one of ${known}`);
}

function bad(what: string): KiteError {
  return new KiteError("configError", `Cannot use key: ${what}`);
}
