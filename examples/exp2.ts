/**
 * Calls `examples/math.ts`: `deno run -A examples/exp2.ts [url]`.
 */
import { Kite } from "../mod.ts";

const url = Deno.args[0] ?? "http://localhost:3636/kite";

try {
  const exp2 = new Kite("exp2", "1.0.0");
  await using math = exp2.newClient(url);
  await math.dial();
  console.log(`square(4) = ${await math.tell("square", 4)}`);
} catch (error) {
  console.error(`exp2: ${error}`);
  Deno.exitCode = 1;
}
