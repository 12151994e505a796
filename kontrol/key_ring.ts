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

/** A key pair that {@linkcode KeyRing.add} takes, as `generateKeyPair` gives it. */
export interface NewKeyPair {
  /**
   * A UUID.
   *
   * @default a new one
   */
  readonly id?: string;
  /**
   * PEM; must be the other half of `privateKey`.
   *
   * @default derived from it
   */
  readonly publicKey?: string;
  /** PEM. */
  readonly privateKey: string;
}

/** What a {@linkcode KeyRing} must know. */
export interface KeyRingOptions {
  /** Where the pairs are; best a `CachedKeyPairs`, since every token asks for one. */
  readonly keyPairs: KeyPairs;
  /** Kontrol's own kite.key; `""` while there is none. */
  readonly kiteKey: () => string;
  /** Kontrol's username, the issuer of every kite.key. */
  readonly kontrolUser: () => string;
  /** Kontrol's URL, as it goes into kite.keys. */
  readonly kontrolUrl: () => string;
}

/** Keys that a caller is to trust from now on. */
export interface CurrentKey {
  /** PEM. */
  readonly publicKey: string;
  /** The statement of the key that the caller trusts, where that is another one. */
  readonly keyHandover?: string;
}

/** New keys for a caller whose key is deleted. */
export interface RenewedKeys extends CurrentKey {
  /** A kite.key for the same user. */
  readonly kiteKey: string;
}

/** Imported keys that are kept at hand, and handovers. */
const MAX_IMPORTED = 256;

/** Milliseconds for which a handover is handed out again: far less than it is good. */
const HANDOVER_REUSE = 600_000;

/**
 * Kontrol's key pairs and what follows from them: which one is Kontrol's own, which one signs,
 * whose kite.keys count, and who has to get a new one (docs/kontrol-protocol.md §6).
 */
export class KeyRing {
  /** The pairs themselves: listing and soft deletion go straight to them. */
  readonly keyPairs: KeyPairs;
  readonly #options: KeyRingOptions;
  readonly #signers = new Map<string, Promise<PrivateKey>>();
  readonly #verifiers = new Map<string, Promise<PublicKey>>();
  readonly #handovers = new SharedCache<string>(MAX_IMPORTED, Date.now);
  #own: { readonly kiteKey: string; readonly publicKey: string } | undefined;

  /** A ring over the pairs in `options.keyPairs`. */
  constructor(options: KeyRingOptions) {
    this.keyPairs = options.keyPairs;
    this.#options = options;
  }

  /**
   * Adds a pair after checking that its halves belong together. The public key is stored in its
   * canonical text; a key that is there in another text stays as it is.
   *
   * @throws {KiteError} `configError`: no key, a weak one, or halves of two pairs.
   */
  async add(pair: NewKeyPair): Promise<StoredKeyPair> {
    return await addKeyPair(this.keyPairs, await checkNewPair(pair));
  }

  /** Every pair that still signs, the last added first. */
  async valid(): Promise<StoredKeyPair[]> {
    return (await this.keyPairs.list()).filter(isValid);
  }

  /**
   * Kontrol's own pair: the one that verifies its own kite.key, searched last-added first; once that
   * is deleted, the one added last of those that are not.
   *
   * @throws {KiteError} `configError`: none does.
   */
  async own(): Promise<StoredKeyPair> {
    const kiteKey = this.#options.kiteKey().trim();
    if (kiteKey === "") {
      throw new KiteError("configError", "Kontrol has no kite.key; `-initial` makes the first one");
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
        const message = "every key pair is deleted: add a new one before the last one is retired";
        throw new KiteError("configError", message);
      }
      this.#own = { kiteKey, publicKey: own.public };
      return own;
    }
    throw new KiteError("configError", "no key pair verifies Kontrol's own kite.key");
  }

  /** Who signs the tokens for a kite: the pair it registered under, or Kontrol's own if that is deleted. */
  async signerFor(keyId: string): Promise<StoredKeyPair> {
    const pair = keyId === "" ? undefined : await this.keyPairs.byId(keyId);
    return pair !== undefined && isValid(pair) ? pair : await this.own();
  }

  /**
   * The pair that a caller's kite.key belongs to, deleted or not.
   *
   * @param kontrolKey The `kontrolKey` claim of its **verified** kite.key.
   * @throws {KiteError} `authenticationError`, "no key pair found".
   */
  async pairOf(kontrolKey: string): Promise<StoredKeyPair> {
    const pair = await this.keyPairs.byPublic(kontrolKey);
    if (pair === undefined) throw refusal("no key pair found");
    return pair;
  }

  /** The `verify` option of Kontrol's `KiteKeyVerifier`: its own keys count, deleted ones too. */
  async trusts(kontrolKey: string): Promise<boolean> {
    await this.pairOf(kontrolKey);
    return true;
  }

  /**
   * The public key that a caller is to trust now: its own while that is valid, else Kontrol's own,
   * with the statement of the key it trusts that this one follows.
   *
   * @param kontrolKey As in {@linkcode KeyRing.pairOf}.
   * @param trustedKey The key that the caller trusts at present; default: `kontrolKey`
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
   * New keys for a caller whose key is deleted; `undefined` while its key is valid.
   *
   * @param kontrolKey As in {@linkcode KeyRing.pairOf}.
   * @param username The authenticated one.
   * @param trustedKey As in {@linkcode KeyRing.currentKey}.
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

  /** Lets the pair that a caller trusts sign that `next` follows it. */
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
      throw new KiteError("configError", `the key pair ${signer.id} is deleted, it signs no more`);
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
      // A damaged key must not keep the others from being tried.
      const key = await this.#verifier(pair).catch(() => undefined);
      if (key !== undefined && await hasSignatureOf(token, key)) return true;
    }
    return false;
  }

  /** The private key of a pair, imported once. */
  privateKey(pair: StoredKeyPair): Promise<PrivateKey> {
    return once(this.#signers, pair.private, () => importPrivateKey(pair.private));
  }

  #verifier(pair: StoredKeyPair): Promise<PublicKey> {
    return once(this.#verifiers, pair.public, () => importPublicKey(pair.public));
  }
}

/**
 * Adds a checked pair, unless the storage holds its public key in another text already.
 *
 * @returns The pair as it is stored.
 */
export async function addKeyPair(keyPairs: KeyPairs, pair: KeyPair): Promise<StoredKeyPair> {
  const known = (await keyPairs.list()).find((stored) =>
    stored.public !== pair.public && isSameKey(stored, pair)
  );
  return known ?? await keyPairs.add(pair);
}

/**
 * The pair as it is to be stored; see {@linkcode KeyRing.add}.
 *
 * @throws {KiteError} `configError`
 */
export async function checkNewPair(pair: NewKeyPair): Promise<KeyPair> {
  const derived = await publicKeyOf(pair.privateKey);
  const given = pair.publicKey ?? derived;
  const probe = await signToken({}, await importPrivateKey(pair.privateKey));
  const token = parseToken(probe, KEY_ALGORITHMS);
  if (!await hasSignatureOf(token, await importPublicKey(given))) {
    throw new KiteError("configError", "the public key is not that of the private key");
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

/** True while the pair signs: it is not deleted. */
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
