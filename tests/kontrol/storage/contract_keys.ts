import { assert, assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../../src/protocol/errors.ts";
import type { KeyPair } from "../../../kontrol/storage/storage.ts";
import { type Fixture, PAIR, registration, storageTest } from "./fixture.ts";

/** Adds the tests of key pairs. */
export function testKeyPairs(fixture: Fixture): void {
  storageTest(fixture, "lists key pairs, newest first", async (storage) => {
    const { keyPairs } = storage;
    const pairs = [PAIR, pair("two"), pair("three")];
    for (const each of pairs) await keyPairs.add(each);
    const stored = await keyPairs.list();
    assertEquals(stored.map(({ id }) => id), pairs.map(({ id }) => id).reverse());
    for (const each of pairs) {
      const byId = await keyPairs.byId(each.id.toUpperCase());
      const { createdAt = 0 } = byId ?? {};
      assert(Math.abs(createdAt - Date.now()) < 60_000);
      assertEquals(byId, { ...each, createdAt });
      assertEquals(await keyPairs.byPublic(`\n${each.public}\n`), byId);
    }
    assertEquals(await keyPairs.byId(crypto.randomUUID()), undefined);
    assertEquals(await keyPairs.byId("no-uuid"), undefined);
    assertEquals(await keyPairs.byPublic("unknown"), undefined);
  });

  storageTest(fixture, "soft-deletes a key pair once", async (storage) => {
    const { keyPairs } = storage;
    const two = await keyPairs.add(pair("two"));
    assertEquals(await keyPairs.softDelete(two.id), true);
    assertEquals(await keyPairs.softDelete(two.id), false);
    assertEquals(await keyPairs.softDelete(crypto.randomUUID()), false);
    assertEquals(await keyPairs.softDelete("no-uuid"), false);
    const deleted = await keyPairs.byPublic(two.public);
    const { deletedAt = 0, ...rest } = deleted ?? two;
    assertEquals(rest, two);
    assert(deletedAt >= two.createdAt && Math.abs(deletedAt - Date.now()) < 60_000);
    assertEquals(await keyPairs.byId(two.id), deleted);
    assertEquals((await keyPairs.list()).map(({ deletedAt }) => deletedAt === undefined), [
      false,
      true,
    ]);
  });

  storageTest(
    fixture,
    "keeps the stored pair when its public key is added again",
    async (storage) => {
      const { keyPairs } = storage;
      const first = await keyPairs.byId(PAIR.id);
      const again = { ...pair("two"), public: ` ${PAIR.public}\n` };
      assertEquals(await keyPairs.add(again), first);
      await keyPairs.softDelete(PAIR.id);
      const deleted = await keyPairs.byId(PAIR.id);
      assertEquals(await keyPairs.add(PAIR), deleted, "adding does not restore a deleted pair");
      assertEquals((await keyPairs.list()).length, 1);
      await storage.upsert(registration());
    },
  );

  storageTest(
    fixture,
    "refuses incomplete key pairs, and ids and keys of other pairs",
    async ({ keyPairs }) => {
      const bad = [
        { ...pair("x"), id: "" },
        { ...pair("x"), id: "no-uuid" },
        { ...pair("x"), public: " \n" },
        { ...pair("x"), private: "" },
        { ...pair("x"), id: PAIR.id },
        { ...pair("x"), private: PAIR.private },
      ];
      for (const each of bad) {
        const error = await assertRejects(() => keyPairs.add(each), KiteError);
        assertEquals(error.type, "argumentError");
        assert(!error.message.includes("secret"), "no error contains a private key");
      }
      assertEquals((await keyPairs.list()).length, 1);
    },
  );

  if (!fixture.isShared) return;
  storageTest(fixture, "shares key pairs between Kontrols", async (one, data) => {
    await using two = await data.open();
    const pairs = [pair("a"), pair("b")];
    const added = await Promise.all([
      ...pairs.map((each) => one.keyPairs.add(each)),
      ...pairs.map((each) => two.keyPairs.add({ ...each, id: crypto.randomUUID() })),
    ]);
    assertEquals(added[0], added[2], "the second call gets the pair of the first");
    assertEquals(added[1], added[3]);
    assertEquals((await one.keyPairs.list()).length, 3);
    assertEquals(await two.keyPairs.softDelete(added[0]?.id ?? ""), true);
    assertEquals(await one.keyPairs.softDelete(added[0]?.id ?? ""), false);
  });
}

function pair(name: string): KeyPair {
  return { id: crypto.randomUUID(), public: `public ${name}`, private: `secret ${name}` };
}
