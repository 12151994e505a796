import { createKiteKey } from "../auth/kite_key.ts";
import {
  generateKeyPair,
  importPrivateKey,
  type KeyAlgorithm,
  type KeyPairPem,
} from "../auth/keys.ts";
import { Kite } from "../kite.ts";
import type { KiteOptions } from "../kite_options.ts";
import type { Server } from "../server.ts";
import { Kontrol, type KontrolOptions } from "../../kontrol/kontrol.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";

/** How {@linkcode startTestKontrol} makes its Kontrol. */
export interface TestKontrolOptions extends Partial<Omit<KontrolOptions, "kiteKey">> {
  /**
   * Kontrol's username, the issuer of all it signs.
   *
   * @default "testuser"
   */
  readonly username?: string;
  /**
   * Kontrol's own key pair, such as one that is in a storage already.
   *
   * @default a new one
   */
  readonly pair?: KeyPairPem;
  /**
   * What a new key pair is for.
   *
   * @default "RS256"
   */
  readonly algorithm?: KeyAlgorithm;
}

/** A Kontrol that runs, and the kites that it made: all end with it. */
export class TestKontrol implements AsyncDisposable {
  /** Kontrol as a library. */
  readonly kontrol: Kontrol;
  /** Its URL, such as "http://127.0.0.1:49152/kite". */
  readonly url: string;
  /** Its own key pair, PEM. */
  readonly pair: KeyPairPem;
  readonly #kites = new Set<Kite>();

  /** Made by {@linkcode startTestKontrol}. */
  constructor(kontrol: Kontrol, server: Server, pair: KeyPairPem) {
    this.kontrol = kontrol;
    this.url = server.url;
    this.pair = pair;
  }

  /**
   * A kite.key for a user.
   *
   * @param username default: "testuser"
   */
  kiteKey(username = "testuser"): Promise<string> {
    return this.kontrol.keys.signKiteKey(username);
  }

  /**
   * A kite of this Kontrol, on loopback and any free port. It takes no settings from the machine's
   * kite.key, and closes with the Kontrol at the latest.
   *
   * @param options as for any kite; with another `username` it gets a kite.key of that user
   */
  async newKite(name: string, version = "1.0.0", options: KiteOptions = {}): Promise<Kite> {
    const { username = "testuser" } = options;
    const kite = new Kite(name, version, {
      ip: "127.0.0.1",
      port: 0,
      environment: "test",
      kontrolUrl: this.url,
      kiteKey: await this.kiteKey(username),
      logLevel: "ERROR",
      ...options,
      username,
    });
    this.#kites.add(kite);
    return kite;
  }

  /** Closes the kites made here, and the Kontrol. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#kites].map((kite) => kite.close({ deadline: 0 })));
    await this.kontrol.close({ deadline: 0 });
  }
}

/**
 * Starts a Kontrol for tests: in memory, on loopback and any free port, quiet.
 *
 * @example
 * ```ts
 * import { startTestKontrol } from "@kite/kite/testing";
 *
 * await using kontrol = await startTestKontrol();
 * const math = await kontrol.newKite("math");
 * math.handle("square", ({ args }) => args.one().number() ** 2);
 * await math.register((await math.listen()).url);
 *
 * const exp2 = await kontrol.newKite("exp2");
 * const [remote] = await exp2.getKites({ name: "math" });
 * await remote!.dial();
 * console.assert(await remote!.tell("square", 4) === 16);
 * ```
 */
export async function startTestKontrol(options: TestKontrolOptions = {}): Promise<TestKontrol> {
  const { username = "testuser", algorithm = "RS256", pair: given, ...rest } = options;
  const pair = given ?? await generateKeyPair(algorithm);
  const storage = options.storage ?? new MemoryStorage();
  await storage.keyPairs.add({
    id: crypto.randomUUID(),
    public: pair.publicKey,
    private: pair.privateKey,
  });
  const kiteKey = await createKiteKey({
    username,
    kontrolUser: username,
    kontrolUrl: options.kontrolUrl ?? `http://127.0.0.1:${options.kite?.port ?? 0}/kite`,
    privateKey: await importPrivateKey(pair.privateKey),
    publicKeyPem: pair.publicKey,
  });
  const kontrol = new Kontrol({
    ...rest,
    storage,
    kiteKey,
    kite: { ip: "127.0.0.1", port: 0, logLevel: "ERROR", ...options.kite },
  });
  try {
    return new TestKontrol(kontrol, await kontrol.listen(), pair);
  } catch (error) {
    await kontrol.close();
    throw error;
  }
}
