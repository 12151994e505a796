/**
 * A kite that others find through Kontrol: `deno run -A examples/math_register.ts [url]`.
 *
 * It listens on the port of `KITE_PORT`, any free one by default, and registers under the URL that
 * is given, by default the one at which this machine reaches it. Who calls has to show a token of
 * this Kontrol; `examples/exp2_query.ts` gets one.
 */
import { Kite } from "../mod.ts";

const math = new Kite("math", "1.0.0");

math.handle("square", ({ args, username }) => {
  const number = args.one().number();
  math.log.debug(`${username} wants the square of ${number}`);
  return number ** 2;
});

math.onRegister((url) => math.log.info(`registered at Kontrol as ${url}`));

math.on("listen", async ({ server }) => {
  try {
    await math.register(Deno.args[0] ?? server.url);
  } catch (error) {
    // Kontrol refused, none is known, or we were told to stop: another try would not mend that.
    console.error(`math is not registered: ${error}`);
    Deno.exitCode = 1;
    await math.close();
  }
});

await math.run();
