import { assert, assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { kiteOf, KontrolProcess, listedKite } from "./kontrol_process.ts";
import { ms, tell } from "./observers.ts";

const ROUNDS = 3;

/** Registrations that are answered before the kill, at the least. */
const BEFORE_KILL = 150;

/** Registrations that are under way at the same time. */
const AT_ONCE = 16;

/** Registers kites over HTTP until Kontrol is gone, and gives the ids of those it said yes to. */
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
        // The connection broke, with or without an answer of it.
        if (killing === undefined || !(error instanceof TypeError)) throw error;
        return;
      }
      registered.push(id);
      if (registered.length >= BEFORE_KILL) killing ??= kontrol.kill();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, register));
  await killing;
  return registered;
}

Deno.test("faults: Kontrol is killed amid registrations, and its SQLite file is sound", async () => {
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
    await using seeker = kiteOf([kontrol], "seeker");
    const found = await seeker.getKites({ name: "crowd" });
    const took = performance.now() - begin;
    const ids = new Set(found.map(({ identity }) => identity!.id));
    assertEquals([...registered].filter((id) => !ids.has(id)), [], "each that was told yes");
    // What was under way may have been done without an answer.
    assert(ids.size <= registered.size + (round + 1) * AT_ONCE, `${ids.size}`);
    for (const { identity, url } of found) {
      assertEquals(url, `http://127.0.0.1:1/${identity!.id}`);
    }
    for (const id of ids) registered.add(id);
    assertEquals(found.filter(({ authentication }) => !authentication?.key), []);
    assertEquals((await seeker.getKites({ name: "math" }))[0]?.identity?.id, math.id);
    tell(`killed after ${confirmed.length} registrations; all found again after ${ms(took)}`);
  }
});
