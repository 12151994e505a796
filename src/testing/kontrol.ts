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
import { Kontrol } from "../../kontrol/kontrol.ts";
import type { KontrolOptions } from "../../kontrol/options.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";

/** Options of {@linkcode startTestKontrol}. */
export interface TestKontrolOptions extends Partial<Omit<KontrolOptions, "kiteKey">> {
  /**
   * Kontrol's username, the issuer of kite.keys and tokens.
   *
   * @default "testuser"
   */
  readonly username?: string;
  /**
   * Kontrol's key pair, such as one that is in the storage already.
   *
   * @default a new one
   */
  readonly pair?: KeyPairPem;
  /**
   * The algorithm of a new key pair.
   *
   * @default "RS256"
   */
  readonly algorithm?: KeyAlgorithm;
}

/** A running Kontrol for tests, which creates kites. Closing it closes them as well. */
export interface TestKontrol extends AsyncDisposable {
  /** The Kontrol. */
  readonly kontrol: Kontrol;
  /** The URL of the Kontrol, such as "http://127.0.0.1:49152/kite". */
  readonly url: string;
  /** The key pair of the Kontrol, PEM. */
  readonly pair: KeyPairPem;
  /**
   * Signs a kite.key for a user.
   *
   * @param username default: "testuser"
   */
  kiteKey(username?: string): Promise<string>;
  /**
   * Creates a kite with a kite.key of this Kontrol. It listens on loopback and a free port, and ignores
   * the kite.key of this machine.
   *
   * @param version default: "1.0.0"
   * @param options as for {@linkcode Kite}; with a `username`, the kite.key is of that user
   */
  newKite(name: string, version?: string, options?: KiteOptions): Promise<Kite>;
  /** Closes the kites and the Kontrol without waiting for running calls. */
  close(): Promise<void>;
}

class RunningTestKontrol implements TestKontrol {
  readonly kontrol: Kontrol;
  readonly url: string;
  readonly pair: KeyPairPem;
  readonly #kites = new Set<Kite>();

  constructor(kontrol: Kontrol, server: Server, pair: KeyPairPem) {
    this.kontrol = kontrol;
    this.url = server.url;
    this.pair = pair;
  }

  kiteKey(username = "testuser"): Promise<string> {
    return this.kontrol.keys.signKiteKey(username);
  }

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

  async close(): Promise<void> {
    await Promise.all([...this.#kites].map((kite) => kite.close({ deadline: 0 })));
    await this.kontrol.close({ deadline: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Starts a Kontrol for tests. By default it keeps everything in memory, listens on loopback and a free
 * port, and logs errors only.
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
    return new RunningTestKontrol(kontrol, await kontrol.listen(), pair);
  } catch (error) {
    await kontrol.close();
    throw error;
  }
}
