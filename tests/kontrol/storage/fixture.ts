import type { KeyPair, Registration, Storage } from "../../../kontrol/storage/storage.ts";
import type { StorageOptions } from "../../../kontrol/storage/storage.ts";
import type { KiteIdentity } from "../../../src/protocol/identity.ts";

/** One set of data, empty at first, and the Kontrols that share it. */
export interface Data extends AsyncDisposable {
  /** Opens it as one more Kontrol would. */
  open(options?: StorageOptions): Promise<Storage>;
}

/** What the contract needs to know of a kind of storage. */
export interface Fixture {
  readonly kind: Storage["kind"];
  /** Whether `Data.open` may be called more than once. */
  readonly isShared: boolean;
  /** The shortest time to live that works, milliseconds. */
  readonly shortTimeToLive: number;
  /** How late an expiry may be noticed, milliseconds. */
  readonly expiryDelay: number;
  /** `ignore` for every test. */
  readonly ignore: boolean;
  /** A new set of data. */
  create(): Promise<Data>;
}

/** The pair under which the kites of these tests register. It signs nothing. */
export const PAIR: KeyPair = {
  id: "1490ae96-0857-4f89-8bb4-5b862ddb0825",
  public: "public text",
  private: "private text",
};

/** An identity, with a new id unless one is given. */
export function identity(fields: Partial<KiteIdentity> = {}): KiteIdentity {
  return {
    username: "devrim",
    environment: "production",
    name: "math",
    version: "1.0.0",
    region: "europe",
    hostname: "host-1",
    id: crypto.randomUUID(),
    ...fields,
  };
}

/** A registration of such a kite. */
export function registration(fields: Partial<KiteIdentity> = {}, url?: string): Registration {
  const kite = identity(fields);
  return { kite, url: url ?? `http://127.0.0.1/${kite.id}`, keyId: PAIR.id };
}

/** Registers one test for a kind of storage: `body` gets a storage with {@linkcode PAIR} in it. */
export function storageTest(
  fixture: Fixture,
  name: string,
  body: (storage: Storage, data: Data) => Promise<void>,
  options: StorageOptions = {},
): void {
  Deno.test({
    name: `${fixture.kind}: ${name}`,
    ignore: fixture.ignore,
    fn: async () => {
      await using data = await fixture.create();
      await using storage = await data.open(options);
      await storage.keyPairs.add(PAIR);
      await body(storage, data);
    },
  });
}

/** The ids of registrations, in order, to compare two lists. */
export function ids(registrations: readonly Registration[]): string[] {
  return registrations.map(({ kite }) => kite.id).sort();
}
