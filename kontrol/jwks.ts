import { importPublicKey, type KeyAlgorithm } from "../src/auth/keys.ts";
import { isValid } from "./key_ring.ts";
import type { StoredKeyPair } from "./storage/storage.ts";

/** One public key as JSON (RFC 7517); `kid` is the key pair's id, as in the tokens' headers. */
export interface PublicJwk {
  /** `RSA`, `EC` or `OKP`. */
  readonly kty: string;
  /** The key pair's id. */
  readonly kid: string;
  /** For signatures alone. */
  readonly use: "sig";
  /** The one algorithm that it is for. */
  readonly alg: KeyAlgorithm;
  /** RSA: modulus. */
  readonly n?: string;
  /** RSA: exponent. */
  readonly e?: string;
  /** `P-256` or `Ed25519`. */
  readonly crv?: string;
  /** The point on the curve. */
  readonly x?: string;
  /** P-256: the other coordinate of the point. */
  readonly y?: string;
}

/** What `/.well-known/jwks.json` answers. */
export interface PublicJwks {
  /** The last added first. */
  readonly keys: readonly PublicJwk[];
}

/**
 * The public keys under which Kontrol's tokens verify, for services that are no kites. Deleted pairs
 * are left out, and so is a stored one that is no key.
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
