import { assertEquals } from "@std/assert";
import { callingKite, targetKite } from "../security/kites.ts";

for (const transport of ["WebSocket", "XHRPolling", "rawWebSocket"] as const) {
  Deno.test(`compact messages over ${transport}: calls, errors and functions, both ways`, async () => {
    const kite = targetKite();
    kite.handle("apply", async ({ args, client }) => {
      const [fn, value] = args.sliceOfLength(2);
      fn!.function()(value!.value);
      return [await client.tell("double", value!.value), () => client.tell("done")];
    });
    await using server = await kite.listen();
    await using caller = callingKite();
    const done = Promise.withResolvers<void>();
    caller.handle("double", ({ args }) => args.one().number() * 2);
    caller.handle("done", () => done.resolve());
    const url = transport === "rawWebSocket"
      ? `${server.url.replace("http", "ws")}/websocket`
      : server.url;
    const remote = caller.newClient(url, { transport });
    await remote.dial();
    assertEquals(remote.transport, transport);
    assertEquals(await remote.tell("square", 2), 4);
    const squares = Array.from({ length: 200 }, (_, n) => remote.tell("square", n));
    assertEquals(await Promise.all(squares), Array.from({ length: 200 }, (_, n) => n * n));
    const seen: unknown[] = [];
    const [doubled, finish] = await remote.tell<[number, () => void]>(
      "apply",
      (value: unknown) => seen.push(value),
      21,
    );
    assertEquals([doubled, seen], [42, [21]]);
    finish();
    await done.promise;
    const error = await remote.tell("throws").catch((error) => [error.type, error.message]);
    assertEquals(error, ["genericError", "x"]);
    await remote.close();
  });
}
