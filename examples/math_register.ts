/**
 * A kite that registers at Kontrol: `deno run -A examples/math_register.ts [url]`.
 *
 * It listens on `KITE_PORT`, or on any free port, and registers the given URL, or the one that
 * works on this machine. Callers need a token from Kontrol, as `examples/exp2_query.ts` gets one.
 */
import { Kite } from "../mod.ts";

const math = new Kite("math", "1.0.0");

math.handle("square", ({ args, username }) => {
  const number = args.one().number();
  math.log.debug(`${username} asks for the square of ${number}`);
  return number ** 2;
});

math.onRegister((url) => math.log.info(`registered at Kontrol as ${url}`));

math.onListen(async (server) => {
  try {
    await math.register(Deno.args[0] ?? server.url);
  } catch (error) {
    // Kontrol refused, there is no Kontrol, or this kite was stopped. Trying again would not help.
    console.error(`math is not registered: ${error}`);
    Deno.exitCode = 1;
    await math.close();
  }
});

await math.run();
