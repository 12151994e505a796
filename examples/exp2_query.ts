/**
 * Finds a math kite through Kontrol and calls it: `deno run -A examples/exp2_query.ts`. Kontrol and
 * `examples/math_register.ts` must be running.
 */
import { Kite } from "../mod.ts";

try {
  await using exp2 = new Kite("exp2", "1.0.0");
  const { username, environment } = exp2.identity;

  // Each client comes with a token, which it renews in time.
  const kites = await exp2.getKites({ username, environment, name: "math", version: "~> 1.0" });
  console.log(`Kontrol knows ${kites.length} math kite${kites.length === 1 ? "" : "s"}`);

  const math = kites[0]!;
  await math.dial();
  console.log(`square(4) = ${await math.tell("square", 4)}`);
} catch (error) {
  console.error(`exp2: ${error}`);
  Deno.exitCode = 1;
}
