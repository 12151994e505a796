import { SharedCache } from "../src/auth/cache.ts";
import { signKeyHandover } from "../src/auth/handover.ts";
import {
  hasSignatureOf,
  parseToken,
  refusal,
  signToken,
  type UnverifiedToken,
} from "../src/auth/jwt.ts";
import {
  canonicalPublicKey,
  importPrivateKey,
  importPublicKey,
  KEY_ALGORITHMS,
  type PrivateKey,
  type PublicKey,
  publicKeyOf,
} from "../src/auth/keys.ts";
import { createKiteKey } from "../src/auth/kite_key.ts";
import { KiteError } from "../src/protocol/errors.ts";
import type { KeyPair, KeyPairs, StoredKeyPair } from "./storage/storage.ts";

/** A key pair for {@linkcode KeyRing.add}, such as the result of `generateKeyPair`. */
export interface NewKeyPair {
  /**
   * A UUID.
   *
   * @default a new one
   */
  readonly id?: string;
  /**
   * The public key of `privateKey`, as PEM.
   *
   * @default derived from `privateKey`
   */
  readonly publicKey?: string;
  /** The private key, as PEM. */
  readonly privateKey: string;
}

/** The options of {@linkcode KeyRing}. */
export interface KeyRingOptions {
  /** The key pairs. They should be cached, since every token needs one. */
  readonly keyPairs: KeyPairs;
  /** Kontrol's own kite.key; `""` if there is none. */
  readonly kiteKey: () => string;
  /** Kontrol's username, the issuer of every kite.key. */
  readonly kontrolUser: () => string;
  /** Kontrol's URL in kite.keys. */
  readonly kontrolUrl: () => string;
}

/** The key that a caller should trust from now on. */
export interface CurrentKey {
  /** PEM. */
  readonly publicKey: string;
  /** If the caller trusts another key: that key's signed statement that this one replaces it. */
  readonly keyHandover?: string;
}

/** New keys for a caller whose key pair was deleted. */
export interface RenewedKeys extends CurrentKey {
  /** A kite.key for the same user. */
  readonly kiteKey: string;
}

/** Maximum number of cached keys, and of cached handovers. */
const MAX_IMPORTED = 256;

/** Milliseconds for which a handover is cached, much less than it is valid. */
const HANDOVER_REUSE = 600_000;

/**
 * Kontrol's key pairs. Decides which pair is Kontrol's own, which one signs, which kite.keys are
 * accepted, and which kites get a new one (docs/kontrol-protocol.md §6).
 *
 * @example
 * ```ts
 * import { createKontrol, generateKeyPair, MemoryStorage } from "@kite/kite/kontrol";
 *
 * await using kontrol = await createKontrol({ storage: new MemoryStorage() });
 * const own = await kontrol.keys.own();
 * await kontrol.keys.add(await generateKeyPair());
 * // Kites whose kite.keys were signed with the old pair get new ones when they register.
 * await kontrol.keys.keyPairs.softDelete(own.id);
 * ```
 */
export class KeyRing {
  /** The stored pairs, for listing and soft deletion. */
  readonly keyPairs: KeyPairs;
  readonly #options: KeyRingOptions;
  readonly #signers = new Map<string, Promise<PrivateKey>>();
  readonly #verifiers = new Map<string, Promise<PublicKey>>();
  readonly #handovers = new SharedCache<string>(MAX_IMPORTED, Date.now);
  #own: { readonly kiteKey: string; readonly publicKey: string } | undefined;

  /** Creates a key ring with the pairs in `options.keyPairs`. */
  constructor(options: KeyRingOptions) {
    this.keyPairs = options.keyPairs;
    this.#options = options;
  }

  /**
   * Adds a pair after checking that its keys belong together. The public key is stored in canonical
   * PEM. If it is already stored in another text form, that pair stays unchanged.
   *
   * @throws {KiteError} `configError`: a key is missing, not valid or weak, or the keys do not match
   */
  async add(pair: NewKeyPair): Promise<StoredKeyPair> {
    return await addKeyPair(this.keyPairs, await checkNewPair(pair));
  }

  /** All pairs that are not deleted, newest first. */
  async valid(): Promise<StoredKeyPair[]> {
    return (await this.keyPairs.list()).filter(isValid);
  }

  /**
   * Kontrol's own pair: the newest one that verifies Kontrol's kite.key or, if that one is deleted,
   * the newest one that is not.
   *
   * @throws {KiteError} `configError`: there is no such pair
   */
  async own(): Promise<StoredKeyPair> {
    const kiteKey = this.#options.kiteKey().trim();
    if (kiteKey === "") {
      const reason = "Kontrol has no kite.key; create one with -initial";
      throw new KiteError("configError", `Cannot find Kontrol's key pair: ${reason}`);
    }
    if (this.#own?.kiteKey === kiteKey) {
      const known = await this.keyPairs.byPublic(this.#own.publicKey);
      if (known !== undefined && isValid(known)) return known;
    }
    const token = parseToken(kiteKey, KEY_ALGORITHMS);
    const pairs = await this.keyPairs.list();
    for (const pair of pairs) {
      const key = await this.#verifier(pair).catch(() => undefined);
      if (key === undefined || !await hasSignatureOf(token, key)) continue;
      const own = isValid(pair) ? pair : pairs.find(isValid);
      if (own === undefined) {
        const reason = "all are deleted; add a new one before you delete the last one";
        throw new KiteError("configError", `Cannot find Kontrol's key pair: ${reason}`);
      }
      this.#own = { kiteKey, publicKey: own.public };
      return own;
    }
    throw new KiteError("configError", "Cannot use Kontrol's kite.key: no key pair verifies it");
  }

  /** The pair that signs tokens for a kite: the one of its registration or, if deleted, Kontrol's own. */
  async signerFor(keyId: string): Promise<StoredKeyPair> {
    const pair = keyId === "" ? undefined : await this.keyPairs.byId(keyId);
    return pair !== undefined && isValid(pair) ? pair : await this.own();
  }

  /**
   * The pair of a caller's kite.key, deleted or not.
   *
   * @param kontrolKey the `kontrolKey` claim of the **verified** kite.key
   * @throws {KiteError} `authenticationError`: no key pair found
   */
  async pairOf(kontrolKey: string): Promise<StoredKeyPair> {
    const pair = await this.keyPairs.byPublic(kontrolKey);
    if (pair === undefined) throw refusal("no key pair found");
    return pair;
  }

  /** The `verify` option of Kontrol's `KiteKeyVerifier`: accepts all stored pairs, deleted or not. */
  async trusts(kontrolKey: string): Promise<boolean> {
    await this.pairOf(kontrolKey);
    return true;
  }

  /**
   * The public key that a caller should trust: that of its kite.key or, if deleted, Kontrol's own,
   * with a handover from the key that it trusts.
   *
   * @param kontrolKey as in {@linkcode KeyRing.pairOf}
   * @param trustedKey the key that the caller currently trusts; default: `kontrolKey`
   *
   * @internal
   */
  async currentKey(kontrolKey: string, trustedKey: string = kontrolKey): Promise<CurrentKey> {
    const pair = await this.pairOf(kontrolKey);
    const current = isValid(pair) ? pair : await this.own();
    return {
      publicKey: current.public,
      ...await this.#handover(trustedKey, current),
    };
  }

  /**
   * Creates new keys for a caller whose key pair was deleted.
   *
   * @param kontrolKey as in {@linkcode KeyRing.pairOf}
   * @param username the authenticated caller
   * @param trustedKey as in {@linkcode KeyRing.currentKey}
   * @returns `undefined` if the caller's key pair is not deleted
   *
   * @internal
   */
  async renew(
    kontrolKey: string,
    username: string,
    trustedKey: string = kontrolKey,
  ): Promise<RenewedKeys | undefined> {
    if (isValid(await this.pairOf(kontrolKey))) return undefined;
    const pair = await this.own();
    return {
      kiteKey: await this.signKiteKey(username, pair),
      publicKey: pair.public,
      ...await this.#handover(trustedKey, pair),
    };
  }

  /** Signs, with the key that a caller trusts, the statement that `next` replaces it. */
  async #handover(trustedKey: string, next: StoredKeyPair): Promise<{ keyHandover?: string }> {
    const former = await this.keyPairs.byPublic(trustedKey);
    if (former === undefined || isSameKey(former, next)) return {};
    const sign = async () => ({
      value: await signKeyHandover({
        kontrolUser: this.#options.kontrolUser(),
        formerKey: await this.privateKey(former),
        nextKey: next.public,
      }),
      until: Date.now() + HANDOVER_REUSE,
    });
    return { keyHandover: await this.#handovers.obtain(`${former.id} ${next.id}`, sign) };
  }

  /**
   * Signs a kite.key for a user.
   *
   * @param pair default: Kontrol's own
   */
  async signKiteKey(username: string, pair?: StoredKeyPair): Promise<string> {
    const signer = pair ?? await this.own();
    if (!isValid(signer)) {
      throw new KiteError("configError", `Cannot sign with key pair ${signer.id}: it is deleted`);
    }
    return await createKiteKey({
      username,
      kontrolUser: this.#options.kontrolUser(),
      kontrolUrl: this.#options.kontrolUrl(),
      privateKey: await this.privateKey(signer),
      publicKeyPem: signer.public,
    });
  }

  /**
   * Returns whether one of the pairs, deleted ones included, signed a token.
   *
   * @internal
   */
  async hasSigned(token: UnverifiedToken): Promise<boolean> {
    for (const pair of await this.keyPairs.list()) {
      // Skip damaged keys.
      const key = await this.#verifier(pair).catch(() => undefined);
      if (key !== undefined && await hasSignatureOf(token, key)) return true;
    }
    return false;
  }

  /** The private key of a pair, imported on first use. */
  privateKey(pair: StoredKeyPair): Promise<PrivateKey> {
    return once(this.#signers, pair.private, () => importPrivateKey(pair.private));
  }

  #verifier(pair: StoredKeyPair): Promise<PublicKey> {
    return once(this.#verifiers, pair.public, () => importPublicKey(pair.public));
  }
}

/**
 * Adds a checked pair, unless its public key is already stored in another text form.
 *
 * @returns the stored pair
 */
export async function addKeyPair(keyPairs: KeyPairs, pair: KeyPair): Promise<StoredKeyPair> {
  const known = (await keyPairs.list()).find((stored) =>
    stored.public !== pair.public && isSameKey(stored, pair)
  );
  return known ?? await keyPairs.add(pair);
}

/**
 * Checks a pair for {@linkcode KeyRing.add}, and returns it in the form to store.
 *
 * @throws {KiteError} `configError`
 */
export async function checkNewPair(pair: NewKeyPair): Promise<KeyPair> {
  const derived = await publicKeyOf(pair.privateKey);
  const given = pair.publicKey ?? derived;
  const probe = await signToken({}, await importPrivateKey(pair.privateKey));
  const token = parseToken(probe, KEY_ALGORITHMS);
  if (!await hasSignatureOf(token, await importPublicKey(given))) {
    const reason = "the public key does not belong to the private key";
    throw new KiteError("configError", `Cannot use this key pair: ${reason}`);
  }
  return {
    id: pair.id ?? crypto.randomUUID(),
    public: canonicalPublicKey(given),
    private: pair.privateKey.trim(),
  };
}

function isSameKey(one: KeyPair, other: KeyPair): boolean {
  return canonicalPublicKey(one.public) === canonicalPublicKey(other.public);
}

/** True if the pair is not deleted, so that it may sign. */
export function isValid(pair: StoredKeyPair): boolean {
  return pair.deletedAt === undefined;
}

function once<Key>(
  imported: Map<string, Promise<Key>>,
  name: string,
  make: () => Promise<Key>,
): Promise<Key> {
  const known = imported.get(name);
  if (known !== undefined) return known;
  if (imported.size >= MAX_IMPORTED) imported.clear();
  const key = make();
  imported.set(name, key);
  return key;
}
