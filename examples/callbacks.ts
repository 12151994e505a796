/**
 * Passes functions in both directions over one connection: `deno run -A examples/callbacks.ts`.
 */
import { Kite } from "../mod.ts";

const clock = new Kite("clock", "1.0.0", { ip: "127.0.0.1" });

// `tick` is a function of the caller. The result contains a function of this kite.
clock.handle("start", ({ args, signal }) => {
  const [interval, tick] = args.sliceOfLength(2);
  const call = tick!.function();
  let count = 0;
  const timer = setInterval(() => call(++count), interval!.number());
  const stop = (): void => clearInterval(timer);
  signal.addEventListener("abort", stop); // the caller has disconnected
  return { stop };
}).disableAuthentication();

// The caller is a kite too, so its methods can be called.
clock.handle("greet", async ({ client }) => `Hello, ${await client.tell("nickname")}!`)
  .disableAuthentication();

await using server = await clock.listen();

await using reader = new Kite("reader", "1.0.0");
reader.handle("nickname", () => "Ada");

const remote = reader.newClient(server.url);
await remote.dial();
console.log(await remote.tell("greet"));

const third = Promise.withResolvers<void>();
const { stop } = await remote.tell<{ stop: () => void }>("start", 50, (count: number) => {
  console.log(`tick ${count}`);
  if (count === 3) third.resolve();
});
await third.promise;
stop();
console.log("stopped");
