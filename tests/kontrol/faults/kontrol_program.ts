/**
 * Like Kontrol's program, with the liveness options from `LIVENESS` as JSON, for which the program has
 * no flags.
 *
 * @module
 */
import { createKontrol } from "../../../kontrol/create.ts";
import { giveUserKey } from "../../../kontrol/own_keys.ts";
import { openStorage } from "../../../kontrol/program/open_storage.ts";
import { readProgramSettings } from "../../../kontrol/program/settings.ts";

const settings = readProgramSettings(Deno.args, (name) => Deno.env.get(name));
if (settings === "help") throw new Error("this program has no help");
await Deno.mkdir(settings.home);
const storage = await openStorage(settings, console.error);
const kontrol = await createKontrol({
  storage,
  home: settings.home,
  liveness: JSON.parse(Deno.env.get("LIVENESS") ?? "{}"),
  kite: { ip: settings.ip, port: settings.port },
});
const { url } = await kontrol.listen();
const kiteKey = await kontrol.keys.signKiteKey("kontrol");
await giveUserKey(settings, kiteKey, storage.keyPairs, kontrol.url);
console.log(`Kontrol listens at ${url}`);
Deno.addSignalListener("SIGTERM", async () => {
  await kontrol.close();
  Deno.exit(0);
});
