/**
 * A kite that squares numbers: `deno run -A examples/math.ts`. It listens on `KITE_PORT`, or on
 * port 3636.
 *
 * `square` takes a number, or `{ Number, Name }`. For the latter it also calls the caller's own
 * `kite.log`. `slowSquare` shows handlers that run before and after a method.
 */
import { Kite, type KiteRequest } from "../mod.ts";

const math = new Kite("math", "1.0.0", Deno.env.has("KITE_PORT") ? {} : { port: 3636 });

math.handle("square", (request) => {
  const argument = request.args.one();
  if (typeof argument.value === "number") return argument.number() ** 2;
  const { number, name } = readNamed(request);
  request.client.tell("kite.log", `Message from math: "${name} asks for the square of ${number}"`)
    .catch((error: unknown) => math.log.debug(`cannot log at the caller: ${error}`));
  return number ** 2;
}).disableAuthentication();

math.handle("slowSquare", async ({ args }) => {
  await new Promise((resolve) => setTimeout(resolve, 100));
  return args.one().number() ** 2;
})
  .disableAuthentication()
  .preHandle(({ context }) => void context.set("start", performance.now()))
  .postHandle(({ id, context }) => {
    const start = context.get("start") as number;
    math.log.debug(`request ${id} took ${(performance.now() - start).toFixed(0)} ms`);
  });

function readNamed({ args }: KiteRequest): { number: number; name: string } {
  const fields = args.one().object();
  return { number: fields.field("Number").number(), name: fields.field("Name").string() };
}

await math.run();
