/**
 * Prints which math kites come and go, until Ctrl-C or after a number of events:
 * `deno run -A examples/exp2_watch.ts [events]`, while Kontrol runs.
 */
import { Kite } from "../mod.ts";

const most = Number(Deno.args[0] ?? Infinity);
if (!(most >= 1)) {
  console.error(`"${Deno.args[0]}" is no number of events; give 1 or more, or none to go on`);
  Deno.exit(2);
}

await using exp2 = new Kite("exp2", "1.0.0");
using watch = exp2.watchKites({ name: "math" });
Deno.addSignalListener("SIGINT", () => watch.stop());

let events = 0;
for await (const { action, kite, url } of watch) {
  console.log(`${action} ${kite.name} ${kite.version} of ${kite.username} at ${url}`);
  if (++events >= most) break;
}
Deno.exit(); // the listener of Ctrl-C would keep the process
