/** The object identifiers that this module writes, encoded as DER. */
const RSA_ENCRYPTION = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01] as const;
const EC_PUBLIC_KEY = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01] as const;
const P256 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] as const;
const NULL = [0x05, 0x00] as const;

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const CONTEXT_0 = 0xa0;

/** The algorithm that the DER encoding of a key names. */
export interface KeyKind {
  /** Such as "RSA", "Ed25519", or "EC" for every elliptic curve in Weierstrass form. */
  readonly name: string;
  /** The curve of an EC key, such as "P-256". */
  readonly curve?: string;
}

const EC = "1.2.840.10045.2.1";

/** Names of key algorithms and curves for error messages, including unsupported ones. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ["1.2.840.113549.1.1.1", "RSA"],
  ["1.2.840.113549.1.1.10", "RSASSA-PSS"],
  [EC, "EC"],
  ["1.3.101.110", "X25519"],
  ["1.3.101.111", "X448"],
  ["1.3.101.112", "Ed25519"],
  ["1.3.101.113", "Ed448"],
  ["1.2.840.10040.4.1", "DSA"],
  ["1.2.840.113549.1.3.1", "Diffie-Hellman"],
  ["1.2.840.10045.3.1.1", "P-192"],
  ["1.2.840.10045.3.1.7", "P-256"],
  ["1.3.132.0.33", "P-224"],
  ["1.3.132.0.34", "P-384"],
  ["1.3.132.0.35", "P-521"],
  ["1.3.132.0.10", "secp256k1"],
  ["1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"],
  ["1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1"],
  ["1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1"],
]);

/** Converts PKCS#1 (`BEGIN RSA PRIVATE KEY`) to PKCS#8, the only format that WebCrypto accepts. */
export function pkcs1PrivateToPkcs8(der: Uint8Array): Uint8Array<ArrayBuffer> {
  return pkcs8(encode(SEQUENCE, RSA_ENCRYPTION, NULL), der);
}

/** Converts PKCS#1 (`BEGIN RSA PUBLIC KEY`) to SPKI. */
export function pkcs1PublicToSpki(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const algorithm = encode(SEQUENCE, RSA_ENCRYPTION, NULL);
  return encode(SEQUENCE, algorithm, encode(BIT_STRING, [0], der));
}

/** Converts SEC 1 (`BEGIN EC PRIVATE KEY`) to PKCS#8. A key without a curve counts as P-256. */
export function sec1ToPkcs8(der: Uint8Array): Uint8Array<ArrayBuffer> {
  return pkcs8(encode(SEQUENCE, EC_PUBLIC_KEY, curveOfSec1(der) ?? P256), der);
}

/** Returns the kind of key in an SPKI document; `undefined` if it cannot be read. */
export function kindOfSpki(der: Uint8Array): KeyKind | undefined {
  return kindAt(der, read(der, 0, SEQUENCE)?.start);
}

/** Returns the kind of key in a PKCS#8 document; `undefined` if it cannot be read. */
export function kindOfPkcs8(der: Uint8Array): KeyKind | undefined {
  const version = read(der, read(der, 0, SEQUENCE)?.start, INTEGER);
  return kindAt(der, version?.end);
}

function pkcs8(algorithm: Uint8Array, key: Uint8Array): Uint8Array<ArrayBuffer> {
  return encode(SEQUENCE, [INTEGER, 1, 0], algorithm, encode(OCTET_STRING, key));
}

/** Returns the object identifier, with its header, of the curve in a SEC 1 private key. */
function curveOfSec1(der: Uint8Array): Uint8Array | undefined {
  const version = read(der, read(der, 0, SEQUENCE)?.start, INTEGER);
  const secret = read(der, version?.end, OCTET_STRING);
  const parameters = read(der, secret?.end, CONTEXT_0);
  const curve = read(der, parameters?.start, OBJECT_IDENTIFIER);
  return curve === undefined ? undefined : der.subarray(parameters?.start, curve.end);
}

/** Returns the kind of key that the AlgorithmIdentifier at `at` names. */
function kindAt(der: Uint8Array, at: number | undefined): KeyKind | undefined {
  const algorithm = read(der, read(der, at, SEQUENCE)?.start, OBJECT_IDENTIFIER);
  if (algorithm === undefined) return undefined;
  const id = dotted(der.subarray(algorithm.start, algorithm.end));
  const name = NAMES.get(id) ?? id;
  if (id !== EC) return { name };
  const curve = read(der, algorithm.end, OBJECT_IDENTIFIER);
  if (curve === undefined) return { name, curve: "given by explicit parameters" };
  const curveId = dotted(der.subarray(curve.start, curve.end));
  return { name, curve: NAMES.get(curveId) ?? curveId };
}

/** Start and end of an element's content. */
interface Extent {
  readonly start: number;
  readonly end: number;
}

/** Finds the element at `at`; `undefined` if it has another tag or exceeds the document. */
function read(der: Uint8Array, at: number | undefined, tag: number): Extent | undefined {
  if (at === undefined || der[at] !== tag) return undefined;
  let length = der[at + 1];
  if (length === undefined) return undefined;
  let start = at + 2;
  if (length >= 0x80) {
    const bytes = length & 0x7f;
    if (bytes === 0 || bytes > 3) return undefined;
    length = 0;
    for (let index = 0; index < bytes; index++) length = length * 256 + (der[start++] ?? 0);
  }
  return start + length <= der.length ? { start, end: start + length } : undefined;
}

/** Formats an object identifier with dots, such as `1.2.840.10045.2.1`. */
function dotted(bytes: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of bytes) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (arcs.length === 0) {
      const first = Math.min(2, Math.floor(arc / 40));
      arcs.push(first, arc - 40 * first);
    } else arcs.push(arc);
    arc = 0;
  }
  return arcs.join(".");
}

function encode(tag: number, ...parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const header = [tag, ...lengthBytes(size)];
  const bytes = new Uint8Array(header.length + size);
  bytes.set(header);
  let at = header.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function lengthBytes(size: number): number[] {
  if (size < 0x80) return [size];
  const bytes: number[] = [];
  for (let rest = size; rest > 0; rest >>>= 8) bytes.unshift(rest & 0xff);
  return [0x80 | bytes.length, ...bytes];
}
