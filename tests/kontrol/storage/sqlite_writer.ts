/**
 * Simulates another Kontrol: adds, moves and removes kites in an SQLite file, then prints the final
 * state. The argument is the path of the file.
 *
 * @module
 */

import { SqliteStorage } from "../../../kontrol/storage/sqlite.ts";
import { registration } from "./fixture.ts";

const [path = ""] = Deno.args;
await using storage = new SqliteStorage({ path });
const expected = new Map<string, string>();
for (let round = 0; round < 50; round++) {
  const kite = registration();
  await storage.upsert(kite);
  await storage.upsert({ ...kite, url: `${kite.url}/moved` });
  await storage.refresh([kite.kite.id]);
  if (round % 2 === 0) await storage.delete(kite.kite.id);
  else expected.set(kite.kite.id, `${kite.url}/moved`);
}
// deno-lint-ignore no-console -- the test reads the output
console.log(`expected ${JSON.stringify([...expected])}`);
