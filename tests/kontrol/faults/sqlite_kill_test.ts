import { assert, assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { kiteOf, KontrolProcess, listedKite } from "./kontrol_process.ts";
import { ms, print } from "./observers.ts";

const ROUNDS = 3;

/** Minimum number of confirmed registrations before the kill. */
const BEFORE_KILL = 150;

/** Concurrent registrations. */
const CONCURRENCY = 16;

/** Registers kites over HTTP until Kontrol is killed; returns the IDs of confirmed registrations. */
async function registerUntilKilled(kontrol: KontrolProcess): Promise<string[]> {
  const key = await Deno.readTextFile(`${kontrol.home}/kite.key`);
  await using kite = kiteOf([kontrol], "crowd");
  const registered: string[] = [];
  let killing: Promise<void> | undefined;
  const register = async (): Promise<void> => {
    for (;;) {
      const id = crypto.randomUUID();
      const body = JSON.stringify({
        url: `http://127.0.0.1:1/${id}`,
        kite: { ...kite.identity, id },
        auth: { type: "kiteKey", key },
      });
      try {
        const response = await fetch(`${kontrol.base}/register`, { method: "POST", body });
        const answer = await response.text();
        assertEquals(response.status, 200, answer);
      } catch (error) {
        // The connection was lost, with or without an answer.
        if (killing === undefined || !(error instanceof TypeError)) throw error;
        return;
      }
      registered.push(id);
      if (registered.length >= BEFORE_KILL) killing ??= kontrol.kill();
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, register));
  await killing;
  return registered;
}

Deno.test("faults: the SQLite file is intact after Kontrol was killed during registrations", async () => {
  await using kontrol = await KontrolProcess.start({ storage: ["-storage=sqlite"] });
  await using math = await listedKite([kontrol], "math");
  const registered = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const confirmed = await registerUntilKilled(kontrol);
    for (const id of confirmed) registered.add(id);

    const copy = `${kontrol.home}/copy.db`;
    for (const suffix of ["", "-wal"]) {
      await Deno.copyFile(`${kontrol.home}/kontrol/kontrol.db${suffix}`, copy + suffix);
    }
    const database = new DatabaseSync(copy);
    assertEquals({ ...database.prepare("PRAGMA integrity_check").get() }, {
      integrity_check: "ok",
    });
    database.close();

    const begin = performance.now();
    await kontrol.restart();
    await using caller = kiteOf([kontrol], "caller");
    const found = await caller.getKites({ name: "crowd" });
    const took = performance.now() - begin;
    const ids = new Set(found.map(({ identity }) => identity!.id));
    assertEquals([...registered].filter((id) => !ids.has(id)), [], "all confirmed kites");
    // Pending registrations may have succeeded without an answer.
    assert(ids.size <= registered.size + (round + 1) * CONCURRENCY, `${ids.size}`);
    for (const { identity, url } of found) {
      assertEquals(url, `http://127.0.0.1:1/${identity!.id}`);
    }
    for (const id of ids) registered.add(id);
    assertEquals(found.filter(({ authentication }) => !authentication?.key), []);
    assertEquals((await caller.getKites({ name: "math" }))[0]?.identity?.id, math.id);
    print(`killed after ${confirmed.length} registrations; all found again after ${ms(took)}`);
  }
});
