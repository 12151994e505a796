import { assert, assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../../src/protocol/errors.ts";
import { IDENTITY_FIELDS, type KiteIdentity } from "../../../src/protocol/identity.ts";
import { type KontrolQuery, queryMatcher } from "../../../src/protocol/query.ts";
import { eventually } from "../../support/eventually.ts";
import { testInvites } from "./contract_invites.ts";
import { testKeyPairs } from "./contract_keys.ts";
import { testWatch } from "./contract_watch.ts";
import { type Fixture, identity, ids, PAIR, registration, storageTest } from "./fixture.ts";

/** Adds the tests that every kind of storage must pass. */
export function testContract(fixture: Fixture): void {
  testQueries(fixture);
  testRegistrations(fixture);
  testLife(fixture);
  testInvites(fixture);
  testKeyPairs(fixture);
  testWatch(fixture);
}

const KITES: readonly KiteIdentity[] = [
  identity(),
  identity({ hostname: "host-2", region: "europe2" }),
  identity({ environment: "staging", version: "1.2.0" }),
  identity({ username: "ayse", version: "1.3.0-beta.1", region: "asia" }),
  identity({ username: "ayse", environment: "staging", name: "math2", version: "2.0.0" }),
  identity({ username: "o'brien", name: "100%_\\ möglich 🪁", version: "1.10.0", hostname: "h %" }),
];

function testQueries(fixture: Fixture): void {
  storageTest(fixture, "answers queries with any combination of fields", async (storage) => {
    for (const kite of KITES) await storage.upsert(registration(kite));
    const values = new Map(
      IDENTITY_FIELDS.map((field) => [field, [...new Set(KITES.map((kite) => kite[field]))]]),
    );
    let found = 0;
    for (let mask = 1; mask < 1 << IDENTITY_FIELDS.length; mask++) {
      const query: Record<string, string> = {};
      IDENTITY_FIELDS.forEach((field, bit) => {
        const choices = values.get(field) ?? [];
        // Mostly the values of one kite, so that most answers are not empty.
        if ((mask & (1 << bit)) !== 0) query[field] = choices[mask % 3 % choices.length] ?? "";
        else if (mask % 2 === 0) query[field] = "";
      });
      for (const asked of [query, ...KITES.map((kite) => pick(kite, mask))]) {
        const expected = KITES.filter(queryMatcher(asked)).map(({ id }) => id).sort();
        assertEquals(ids(await storage.get(asked)), expected, JSON.stringify(asked));
        found += expected.length;
      }
    }
    assert(found > 127 * KITES.length, "each kite is found at least by its own fields");
  });

  storageTest(fixture, "returns complete registrations", async (storage) => {
    const before = Date.now();
    for (const kite of KITES) await storage.upsert(registration(kite));
    for (const kite of KITES) {
      const [found, ...more] = await storage.get({ id: kite.id });
      assertEquals(found?.kite, kite);
      assertEquals(found?.url, `http://127.0.0.1/${kite.id}`);
      assertEquals(found?.keyId, PAIR.id);
      assertEquals(more, []);
      const { updatedAt = before } = found ?? {};
      assert(Math.abs(updatedAt - before) < 10_000, `updatedAt is ${updatedAt}, not ${before}`);
    }
  });

  storageTest(
    fixture,
    "matches version constraints in combination with other fields",
    async (storage) => {
      for (const kite of KITES) await storage.upsert(registration(kite));
      const cases: [KontrolQuery, number[]][] = [
        [{ version: ">= 1.0, < 2.0" }, [0, 1, 2, 5]],
        [{ version: ">= 1.0, < 2.0", name: "math" }, [0, 1, 2]],
        [{ version: "~> 1.2", username: "devrim" }, [2]],
        [{ version: "!= 1.0.0", environment: "staging" }, [2, 4]],
        [{ version: "> 1.0", hostname: "host-2" }, []],
        [{ version: ">= 1.0.0", region: "europe", hostname: "host-1", name: "math" }, [0, 2]],
        [{ version: "1.0" }, []],
        [{ version: ">= 1.3.0-beta.0, < 1.3.0-rc", username: "ayse" }, [3]],
        [{ version: "> 1.0", id: KITES[0]?.id ?? "" }, []],
        [{ version: "= 1.0", id: KITES[0]?.id ?? "" }, [0]],
      ];
      for (const [query, expected] of cases) {
        const wanted = expected.map((index) => KITES[index]?.id).sort();
        assertEquals(ids(await storage.get(query)), wanted, JSON.stringify(query));
      }
      assertEquals((await storage.get({ version: ">= 1.0" }, { limit: 2 })).length, 2);
    },
  );

  storageTest(fixture, "finds nothing if nothing matches", async (storage) => {
    assertEquals(await storage.get({ name: "math" }), []);
    await storage.upsert(registration({ region: "local2", hostname: "vm2" }));
    for (const query of [{ region: "local" }, { hostname: "vm" }, { region: "local%" }]) {
      assertEquals(await storage.get(query), [], JSON.stringify(query));
    }
    for (const id of ["no-uuid", crypto.randomUUID(), "x".repeat(256), "'", "\0", "\ud800"]) {
      assertEquals(await storage.get({ id }), [], id);
      assertEquals(await storage.get({ id, username: "devrim" }), [], id);
    }
    assertEquals(await storage.get({ name: "\0" }), []);
    assertEquals(await storage.get({ name: "math\ud800" }), []);
  });

  storageTest(fixture, "refuses an empty query and a malformed constraint", async (storage) => {
    const empty = await assertRejects(() => storage.get({ name: "", id: "" }), KiteError);
    assertEquals(empty.message, "all query fields are empty");
    const malformed = await assertRejects(() => storage.get({ version: ">= x" }), KiteError);
    assertEquals(malformed.type, "argumentError");
    assert(malformed.message.startsWith("Malformed constraint"), malformed.message);
  });

  storageTest(fixture, "returns at most `limit` registrations", async (storage) => {
    for (const kite of KITES) await storage.upsert(registration(kite));
    assertEquals((await storage.get({ username: "devrim" }, { limit: 2 })).length, 2);
    assertEquals((await storage.get({ username: "devrim" }, { limit: 0 })).length, 0);
    assertEquals((await storage.get({ username: "devrim" }, { limit: 9 })).length, 3);
  });
}

function testRegistrations(fixture: Fixture): void {
  storageTest(fixture, "replaces the registration with the same id", async (storage) => {
    const other = { ...PAIR, id: crypto.randomUUID(), public: "p2", private: "s2" };
    await storage.keyPairs.add(other);
    const first = registration();
    await storage.upsert(first);
    await storage.upsert({ ...first, url: "http://127.0.0.1/new", keyId: other.id });
    const [found] = await storage.get({ name: "math" });
    assertEquals([found?.url, found?.keyId], ["http://127.0.0.1/new", other.id]);

    await storage.upsert({ ...first, kite: { ...first.kite, name: "algebra", version: "3.0.0" } });
    assertEquals(await storage.get({ name: "math" }), []);
    assertEquals(await storage.get({ version: "1.0.0" }), []);
    assertEquals(ids(await storage.get({ name: "algebra" })), [first.kite.id]);
    assertEquals(ids(await storage.get({ id: first.kite.id })), [first.kite.id]);
    assertEquals(await storage.count(), new Map([["production", 1]]));
  });

  storageTest(fixture, "compares ids without regard to case", async (storage) => {
    const { kite, ...rest } = registration();
    const capitals = kite.id.toUpperCase();
    await storage.upsert({ ...rest, kite: { ...kite, id: capitals } });
    assertEquals(ids(await storage.get({ id: kite.id })), [kite.id]);
    assertEquals(ids(await storage.get({ id: capitals, name: "math" })), [kite.id]);
    assertEquals(await storage.refresh([capitals]), []);
    assertEquals(await storage.delete(capitals), true);
    assertEquals(await storage.refresh([capitals]), [capitals]);
  });

  storageTest(fixture, "refuses the id of another user's kite", async (storage) => {
    const mine = registration({ username: "devrim" });
    await storage.upsert(mine);
    const theirs = { ...mine, url: "http://evil/", kite: { ...mine.kite, username: "mallory" } };
    const error = await assertRejects(() => storage.upsert(theirs), KiteError);
    assertEquals([error.type, error.code], ["argumentError", "idTaken"]);
    assertEquals((await storage.get({ id: mine.kite.id }))[0]?.url, mine.url);
    await storage.delete(mine.kite.id);
    await storage.upsert(theirs);
    assertEquals((await storage.get({ id: mine.kite.id }))[0]?.url, theirs.url);
  });

  storageTest(fixture, "refuses registrations with invalid fields", async (storage) => {
    const good = registration();
    for (const field of IDENTITY_FIELDS) {
      for (const bad of ["", "a/b", "a\0b", "x\ud800", "x".repeat(257)]) {
        const kite = { ...good.kite, [field]: bad };
        const error = await assertRejects(() => storage.upsert({ ...good, kite }), KiteError);
        assertEquals(error.type, "argumentError");
        assert(error.message.includes(field), `"${error.message}" does not name ${field}`);
      }
    }
    for (const bad of [{ url: "" }, { url: "http://\0" }, { keyId: "" }, { keyId: "no-uuid" }]) {
      const error = await assertRejects(() => storage.upsert({ ...good, ...bad }), KiteError);
      assertEquals(error.type, "argumentError");
    }
    const kite = { ...good.kite, id: "no-uuid" };
    await assertRejects(() => storage.upsert({ ...good, kite }), KiteError, "UUID");
    assertEquals(await storage.count(), new Map());
  });

  storageTest(fixture, "deletes registrations", async (storage) => {
    const [gone, kept] = [registration(), registration()];
    await storage.upsert(gone);
    await storage.upsert(kept);
    assertEquals(await storage.delete(gone.kite.id), true);
    assertEquals(await storage.delete(gone.kite.id), false);
    assertEquals(await storage.delete("no-uuid"), false);
    assertEquals(ids(await storage.get({ name: "math" })), [kept.kite.id]);
    assertEquals(await storage.delete(kept.kite.id, { ifOurs: true }), true);
    assertEquals(await storage.get({ name: "math" }), []);
  });

  storageTest(fixture, "counts registrations by environment", async (storage) => {
    assertEquals(await storage.count(), new Map());
    for (const kite of KITES) await storage.upsert(registration(kite));
    const counts = [...await storage.count()].sort(([a], [b]) => a < b ? -1 : 1);
    assertEquals(counts, [["production", 4], ["staging", 2]]);
  });

  storageTest(
    fixture,
    "is ready until it is closed; then every operation fails",
    async (storage) => {
      await storage.ready();
      const aborted = { signal: AbortSignal.abort() };
      for (
        const operation of [
          () => storage.get({ name: "math" }, aborted),
          () => storage.upsert(registration(), aborted),
          () => storage.ready(aborted),
        ]
      ) {
        const error = await assertRejects(operation, KiteError);
        assertEquals(error.type, "aborted");
      }
      await storage[Symbol.asyncDispose]();
      for (
        const operation of [
          () => storage.ready(),
          () => storage.get({ name: "math" }),
          () => storage.upsert(registration()),
          () => storage.refresh([crypto.randomUUID()]),
          () => storage.delete(crypto.randomUUID()),
          () => storage.count(),
          () => storage.watch({ name: "math" }, () => {}),
        ]
      ) {
        const error = await assertRejects(operation, KiteError);
        assertEquals([error.type, error.code], ["storageError", "closed"], String(operation));
      }
    },
  );

  if (fixture.isShared) {
    storageTest(fixture, "can be shared by several Kontrols", async (one, data) => {
      await using two = await data.open();
      const kite = registration();
      await one.upsert(kite);
      assertEquals(ids(await two.get({ name: "math" })), [kite.kite.id]);
      assertEquals(await two.refresh([kite.kite.id]), []);
      assertEquals(await two.delete(kite.kite.id, { ifOurs: true }), false);
      await two.upsert(kite);
      assertEquals(await one.delete(kite.kite.id, { ifOurs: true }), false);
      assertEquals(ids(await one.get({ name: "math" })), [kite.kite.id]);
      assertEquals(await two.refresh([kite.kite.id]), []);
      assertEquals(await two.delete(kite.kite.id, { ifOurs: true }), true);
      assertEquals(await one.refresh([kite.kite.id]), [kite.kite.id]);
    });
  }
}

function testLife(fixture: Fixture): void {
  const { shortTimeToLive, expiryDelay } = fixture;
  const options = { timeToLive: shortTimeToLive };

  storageTest(fixture, "expires registrations that are not refreshed", async (storage) => {
    const [kept, gone] = [registration(), registration()];
    await storage.upsert(kept);
    await storage.upsert(gone);
    const end = performance.now() + shortTimeToLive * 2 + expiryDelay;
    let isGone = false;
    while (!isGone || performance.now() < end) {
      assert(performance.now() < end + 5_000, "it did not expire");
      assertEquals(await storage.refresh([kept.kite.id]), []);
      const found = ids(await storage.get({ name: "math" }));
      assert(found.includes(kept.kite.id), "a refreshed registration stays");
      isGone = !found.includes(gone.kite.id);
      await new Promise((resolve) => setTimeout(resolve, shortTimeToLive / 10));
    }
    assertEquals(await storage.refresh([gone.kite.id, kept.kite.id]), [gone.kite.id]);
    assertEquals(await storage.get({ id: gone.kite.id }), []);
    assertEquals(await storage.delete(gone.kite.id), false);
    assertEquals(await storage.count(), new Map([["production", 1]]));

    await storage.upsert(gone);
    assertEquals(ids(await storage.get({ name: "math" })), ids([kept, gone]));
  }, options);

  storageTest(fixture, "frees the id of an expired kite", async (storage) => {
    const first = registration({ username: "devrim" });
    await storage.upsert(first);
    await eventually(async () => (await storage.get({ id: first.kite.id })).length === 0, {
      withinMs: shortTimeToLive + expiryDelay + 5_000,
    });
    const second = { ...first, kite: { ...first.kite, username: "ayse" } };
    await eventually(() => storage.upsert(second).then(() => true), { withinMs: 5_000 });
    assertEquals((await storage.get({ id: first.kite.id }))[0]?.kite.username, "ayse");
  }, options);

  storageTest(fixture, "refreshes many registrations, and returns unknown ids", async (storage) => {
    const many = Array.from({ length: 1_200 }, () => registration());
    for (let start = 0; start < many.length; start += 100) {
      await Promise.all(many.slice(start, start + 100).map((each) => storage.upsert(each)));
    }
    const missing = [crypto.randomUUID(), "no-uuid"];
    const asked = [missing[0] ?? "", ...many.map(({ kite }) => kite.id), missing[1] ?? ""];
    assertEquals((await storage.refresh(asked)).sort(), missing.sort());
    assertEquals(await storage.refresh([]), []);
    assertEquals((await storage.get({ name: "math" })).length, many.length);
  });
}

function pick(kite: KiteIdentity, mask: number): KontrolQuery {
  const fields = IDENTITY_FIELDS.filter((_, bit) => (mask & (1 << bit)) !== 0);
  return Object.fromEntries(fields.map((field) => [field, kite[field]]));
}
