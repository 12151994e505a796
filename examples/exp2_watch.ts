/**
 * Prints math kites that appear and disappear, until Ctrl-C or for a number of events:
 * `deno run -A examples/exp2_watch.ts [events]`. Kontrol must be running.
 */
import { Kite } from "../mod.ts";

const most = Number(Deno.args[0] ?? Infinity);
if (!(most >= 1)) {
  console.error(`Cannot wait for "${Deno.args[0]}" events: must be a number of at least 1`);
  Deno.exit(2);
}

try {
  await using exp2 = new Kite("exp2", "1.0.0");
  await using watch = exp2.watchKites({ name: "math" });
  Deno.addSignalListener("SIGINT", () => void watch.close());

  let events = 0;
  for await (const { action, kite, url } of watch) {
    console.log(`${action} ${kite.name} ${kite.version} of ${kite.username} at ${url}`);
    if (++events >= most) break;
  }
} catch (error) {
  console.error(`exp2: ${error}`);
  Deno.exitCode = 1;
}
Deno.exit(); // the signal listener would keep the process running
