import type { KeyPair, Registration, Storage } from "../../../kontrol/storage/storage.ts";
import type { StorageOptions } from "../../../kontrol/storage/storage.ts";
import type { KiteIdentity } from "../../../src/protocol/identity.ts";

/** A set of data, initially empty, which several storage objects can share. */
export interface Data extends AsyncDisposable {
  /** Opens another storage object, as another Kontrol would. */
  open(options?: StorageOptions): Promise<Storage>;
}

/** The kind of storage to test. */
export interface Fixture {
  readonly kind: Storage["kind"];
  /** Whether `Data.open` may be called more than once. */
  readonly isShared: boolean;
  /** The shortest time to live that works, milliseconds. */
  readonly shortTimeToLive: number;
  /** Maximum delay of an expiry, milliseconds. */
  readonly expiryDelay: number;
  /** `ignore` for every test. */
  readonly ignore: boolean;
  /** Creates a new set of data. */
  create(): Promise<Data>;
}

/** The key pair of the kites in these tests. It signs nothing. */
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

/** Adds a test for a kind of storage; `body` gets a storage that contains {@linkcode PAIR}. */
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

/** The sorted IDs of registrations. */
export function ids(registrations: readonly Registration[]): string[] {
  return registrations.map(({ kite }) => kite.id).sort();
}
