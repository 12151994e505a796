/** A change of Kontrol's key pair, under real Go kites that were registered with the old one. */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { readKiteKeyClaims } from "../../../src/auth/kite_key.ts";
import type { TestKontrol } from "../../../src/testing/kontrol.ts";
import { SqliteStorage } from "../../../kontrol/storage/sqlite.ts";
import { skipUnless } from "../../support/parts.ts";
import { freePort } from "../../support/ports.ts";
import {
  checkFoundAndCalled,
  type Found,
  goKite,
  ourKontrolledKite,
  startBriskKontrol,
} from "./setup.ts";
import type { Peer } from "../peers.ts";

interface Keys {
  readonly kiteKey: string;
  readonly kontrolKey: string;
}

interface RegisterResult {
  readonly kiteKey?: string;
  readonly publicKey?: string;
}

/** Two Kontrols, one after the other, in one file and at one port. */
class Succession implements AsyncDisposable {
  readonly port: number = freePort();
  readonly #folder: string = Deno.makeTempDirSync();
  readonly #stack = new AsyncDisposableStack();

  /** A Kontrol with a key pair of its own, beside those that are in the file. */
  async start(): Promise<TestKontrol> {
    const storage = new SqliteStorage({ path: `${this.#folder}/kontrol.sqlite` });
    const kontrol = await startBriskKontrol({ storage, kite: { port: this.port } });
    return this.#stack.use(kontrol);
  }

  /** Ends a Kontrol, deletes its key pair, and starts one with a new pair. */
  async replace(old: TestKontrol): Promise<TestKontrol> {
    await old[Symbol.asyncDispose]();
    const next = await this.start();
    const pair = await next.kontrol.keys.keyPairs.byPublic(old.pair.publicKey);
    assert(await next.kontrol.keys.keyPairs.softDelete(pair!.id));
    return next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function keysOf(peer: Peer): Promise<Keys> {
  return await peer.call("keys") as Keys;
}

for (const way of ["registerForever", "registerHTTPForever"]) {
  Deno.test({
    name: `kontrol: a Go kite takes over the new keys after a change (${way})`,
    ...skipUnless("go"),
    fn: async () => {
      await using succession = new Succession();
      await using stack = new AsyncDisposableStack();
      const first = await succession.start();
      const kite = stack.use(await goKite(await first.kiteKey("alice")));
      await kite.call(way);
      const before = await keysOf(kite);
      assertEquals(before.kontrolKey, first.pair.publicKey.trim());

      const second = await succession.replace(first);
      const { args } = await kite.event("registered", 2);
      const result = args?.[0] as RegisterResult;
      const after = await keysOf(kite);
      assertEquals(after.kontrolKey, second.pair.publicKey.trim());
      assertNotEquals(after.kiteKey, before.kiteKey);
      assertEquals(after.kiteKey, result.kiteKey);
      assertEquals(readKiteKeyClaims(after.kiteKey).sub, "alice");

      // The caller knows nothing but the new pair, and its token is signed with that.
      const caller = stack.use(ourKontrolledKite(await second.kiteKey("bob"), second.url));
      const token = await checkFoundAndCalled(caller, { username: "alice" });
      const signer = await second.kontrol.keys.own();
      const [header] = token.split(".");
      assertEquals(JSON.parse(atob(header!)).kid, signer.id);
    },
  });
}

Deno.test({
  name: "kontrol: a Go client with a deleted key still finds, calls, and is told the new key",
  ...skipUnless("go"),
  fn: async () => {
    await using succession = new Succession();
    await using stack = new AsyncDisposableStack();
    const first = await succession.start();
    const kiteKey = await first.kiteKey("alice");
    const second = await succession.replace(first);
    const ours = stack.use(ourKontrolledKite(await second.kiteKey("bob"), second.url));
    await ours.register((await ours.listen()).url);

    const peer = stack.use(await goKite(kiteKey));
    const [found] = await peer.call("getKites", [{ name: "target" }]) as Found[];
    assertEquals(found?.kite, ours.identity);
    await peer.call("dial", [0]);
    assertEquals(await peer.call("tell", [0, "square", 6]), 36);
    assertEquals(await peer.call("getKey"), second.pair.publicKey.trim());
    assertEquals((await keysOf(peer)).kontrolKey, second.pair.publicKey.trim());
  },
});
