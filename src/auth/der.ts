/** The kinds of key that are understood, by the DER bytes of their object identifiers. */
const OBJECT_IDENTIFIERS = {
  rsa: [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01],
  ec: [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
  ed25519: [0x06, 0x03, 0x2b, 0x65, 0x70],
} as const;
const P256 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] as const;

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const NULL = [0x05, 0x00] as const;

/** What a key is, as its own DER says. */
export type KeyKind = keyof typeof OBJECT_IDENTIFIERS;

/** PKCS#1 (`BEGIN RSA PRIVATE KEY`) as PKCS#8, the only form that WebCrypto takes. */
export function pkcs1PrivateToPkcs8(der: Uint8Array): Uint8Array<ArrayBuffer> {
  return pkcs8(element(SEQUENCE, OBJECT_IDENTIFIERS.rsa, NULL), der);
}

/** PKCS#1 (`BEGIN RSA PUBLIC KEY`) as SPKI. */
export function pkcs1PublicToSpki(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const algorithm = element(SEQUENCE, OBJECT_IDENTIFIERS.rsa, NULL);
  return element(SEQUENCE, algorithm, element(BIT_STRING, [0], der));
}

/** SEC 1 (`BEGIN EC PRIVATE KEY`) of the curve P-256 as PKCS#8. */
export function sec1ToPkcs8(der: Uint8Array): Uint8Array<ArrayBuffer> {
  return pkcs8(element(SEQUENCE, OBJECT_IDENTIFIERS.ec, P256), der);
}

/** What kind of key an SPKI holds; `undefined` for any other kind, and for what is no SPKI. */
export function kindOfSpki(der: Uint8Array): KeyKind | undefined {
  return kindAt(der, enter(der, 0));
}

/** {@linkcode kindOfSpki} for PKCS#8. */
export function kindOfPkcs8(der: Uint8Array): KeyKind | undefined {
  const version = enter(der, 0);
  if (version === undefined || der[version] !== INTEGER) return undefined;
  const inside = enter(der, version);
  return inside === undefined ? undefined : kindAt(der, inside + (der[version + 1] ?? 0));
}

function pkcs8(algorithm: Uint8Array, key: Uint8Array): Uint8Array<ArrayBuffer> {
  return element(SEQUENCE, [INTEGER, 1, 0], algorithm, element(OCTET_STRING, key));
}

/** The kind that the AlgorithmIdentifier at `at` names. */
function kindAt(der: Uint8Array, at: number | undefined): KeyKind | undefined {
  if (at === undefined || der[at] !== SEQUENCE) return undefined;
  const inside = enter(der, at);
  if (inside === undefined) return undefined;
  for (const kind of Object.keys(OBJECT_IDENTIFIERS) as KeyKind[]) {
    if (OBJECT_IDENTIFIERS[kind].every((byte, index) => der[inside + index] === byte)) return kind;
  }
  return undefined;
}

/** Where the content of the element at `at` begins; `undefined` if there is none. */
function enter(der: Uint8Array, at: number): number | undefined {
  const length = der[at + 1];
  if (length === undefined) return undefined;
  const content = at + 2 + (length < 0x80 ? 0 : length & 0x7f);
  return content < der.length ? content : undefined;
}

function element(tag: number, ...parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
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
