import { importPublicKey, type KeyAlgorithm } from "../src/auth/keys.ts";
import { isValid } from "./key_ring.ts";
import type { StoredKeyPair } from "./storage/storage.ts";

/** A public key as a JWK (RFC 7517). */
export interface PublicJwk {
  /** `RSA`, `EC` or `OKP`. */
  readonly kty: string;
  /** The ID of the key pair, as in the headers of tokens. */
  readonly kid: string;
  /** The key verifies signatures. */
  readonly use: "sig";
  /** The algorithm of the signatures. */
  readonly alg: KeyAlgorithm;
  /** RSA: modulus. */
  readonly n?: string;
  /** RSA: exponent. */
  readonly e?: string;
  /** `P-256` or `Ed25519`. */
  readonly crv?: string;
  /** P-256: the x coordinate; Ed25519: the public key. */
  readonly x?: string;
  /** P-256: the y coordinate. */
  readonly y?: string;
}

/** The response of `/.well-known/jwks.json`. */
export interface PublicJwks {
  /** Newest first. */
  readonly keys: readonly PublicJwk[];
}

/**
 * The public keys that verify Kontrol's tokens, for services that are not kites. Omits deleted pairs
 * and stored rows that are not valid keys.
 */
export async function createJwks(pairs: readonly StoredKeyPair[]): Promise<PublicJwks> {
  const keys = await Promise.all(pairs.filter(isValid).map(toJwk));
  return { keys: keys.filter((key) => key !== undefined) };
}

async function toJwk(pair: StoredKeyPair): Promise<PublicJwk | undefined> {
  const imported = await importPublicKey(pair.public).catch(() => undefined);
  if (imported === undefined) return undefined;
  const { kty = "", n, e, crv, x, y } = await crypto.subtle.exportKey("jwk", imported.key);
  return {
    kty,
    kid: pair.id,
    use: "sig",
    alg: imported.algorithm,
    ...(n === undefined ? {} : { n }),
    ...(e === undefined ? {} : { e }),
    ...(crv === undefined ? {} : { crv }),
    ...(x === undefined ? {} : { x }),
    ...(y === undefined ? {} : { y }),
  };
}
