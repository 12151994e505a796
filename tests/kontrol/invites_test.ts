import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createInvite } from "../../kontrol/invites.ts";
import { Kontrol } from "../../kontrol/kontrol.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import { SqliteStorage } from "../../kontrol/storage/sqlite.ts";
import { KiteError } from "../../mod.ts";
import { readKiteKeyClaims } from "../../src/auth/kite_key.ts";
import { startTestKontrol, type TestKontrol } from "../../src/testing/kontrol.ts";
import { refused } from "./support.ts";

/** Asks for a kite.key, as someone who has none. */
async function register(kontrol: TestKontrol, username: string, invite?: string): Promise<string> {
  const kite = await kontrol.newKite("kitectl", "1.0.0", { username, kiteKey: "" });
  await using remote = kite.newClient(kontrol.url);
  await remote.dial();
  const argument = invite === undefined ? username : { authType: "invite", invite };
  return await remote.tell<string>("registerMachine", argument);
}

Deno.test("register mode: closed is the default, and refuses all requests for a kite.key", async () => {
  for (const options of [{}, { register: "closed" }] as const) {
    await using kontrol = await startTestKontrol(options);
    const message = "no valid authentication key found";
    await refused(() => register(kontrol, "alice"), "authenticationError", message);
  }
});

Deno.test("register mode: open gives everybody a kite.key, except for Kontrol's own username", async () => {
  await using kontrol = await startTestKontrol({ register: "open" });
  const { sub, iss } = readKiteKeyClaims(await register(kontrol, "alice"));
  assertEquals([sub, iss], ["alice", "testuser"]);
  await refused(
    () => register(kontrol, "testuser"),
    "authenticationError",
    "Cannot register as testuser: it is the user of Kontrol itself",
  );
});

Deno.test("register mode: token accepts the code of an invite once, in any spelling", async () => {
  const storage = new MemoryStorage();
  await using kontrol = await startTestKontrol({ storage, register: "token" });
  const { code, expiresAt } = await createInvite(storage.invites);
  assert(/^([0-9A-Z]{5}-){3}[0-9A-Z]{5}$/.test(code), code);
  assert(Math.abs(expiresAt - Date.now() - 900_000) < 60_000);
  const noInvite = "Cannot register without an invite: ask for a code from `kitectl invite`";
  await refused(() => register(kontrol, "alice"), "authenticationError", noInvite);
  const wrong =
    "Cannot register with this invite: its code is wrong, used, expired, or not for alice";
  for (const guess of ["x", "00000-00000-00000-00000", `${code}0`, "🙂".repeat(10)]) {
    await refused(() => register(kontrol, "alice", guess), "authenticationError", wrong);
  }
  const written = ` ${code.toLowerCase().replaceAll("-", " ")} `;
  assertEquals(readKiteKeyClaims(await register(kontrol, "alice", written)).sub, "alice");
  await refused(() => register(kontrol, "alice", code), "authenticationError", wrong);
});

Deno.test("register mode: an invite for a username is refused for others", async () => {
  const storage = new MemoryStorage();
  await using kontrol = await startTestKontrol({ storage, register: "token" });
  const { code } = await createInvite(storage.invites, { username: "bob" });
  const error = await assertRejects(() => register(kontrol, "alice", code), KiteError);
  assertEquals(error.type, "authenticationError");
  assertEquals(readKiteKeyClaims(await register(kontrol, "bob", code)).sub, "bob");
});

Deno.test("register mode: only one of several Kontrols on one storage redeems a code", async () => {
  const path = await Deno.makeTempFile();
  try {
    await using one = await startTestKontrol({
      storage: new SqliteStorage({ path }),
      register: "token",
    });
    await using two = await startTestKontrol({
      storage: new SqliteStorage({ path }),
      register: "token",
      pair: one.pair,
    });
    await using storage = new SqliteStorage({ path });
    const { code } = await createInvite(storage.invites);
    const tries = [one, two, one, two].map((kontrol) => register(kontrol, "alice", code));
    const results = await Promise.allSettled(tries);
    assertEquals(results.filter(({ status }) => status === "fulfilled").length, 1);
  } finally {
    for (const suffix of ["", "-wal", "-shm"]) await Deno.remove(path + suffix).catch(() => {});
  }
});

Deno.test("register mode: an unknown mode, a conflicting option and an invalid lifetime are refused", async () => {
  await using kontrol = await startTestKontrol();
  await using storage = new MemoryStorage();
  const kiteKey = await kontrol.kiteKey();
  const make = (options: object) => () => new Kontrol({ storage, kiteKey, ...options });
  assertThrows(
    make({ register: "close" }),
    KiteError,
    'Cannot use register "close": must be one of closed, token, open',
  );
  assertThrows(
    make({ register: "open", machineAuthenticate: () => {} }),
    KiteError,
    "Cannot use register: must not be given together with machineAuthenticate",
  );
  for (const lifetime of [0, -1, NaN, Infinity, 8 * 24 * 3_600_000]) {
    await assertRejects(
      () => createInvite(storage.invites, { lifetime }),
      KiteError,
      `Cannot use lifetime ${lifetime}: must be from 1 second to 7 days, in milliseconds`,
    );
  }
});
