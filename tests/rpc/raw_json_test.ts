import { assert, assertEquals, assertFalse } from "@std/assert";
import { EncodedResult } from "../../src/rpc/encoded_result.ts";
import { RawJson } from "../../src/rpc/raw_json.ts";
import { escapeMessage } from "../../src/transport/sockjs/frames.ts";
import { callingKite, targetKite } from "../security/kites.ts";

const VALUE = { text: 'a "quoted" \\ line\n\u2028\u200c é 😀', list: [1, null, { deep: true }] };

Deno.test("RawJson: an answer arrives as it was encoded, over every transport", async () => {
  const kite = targetKite();
  kite.handle("raw", () => new RawJson(escapeMessage(JSON.stringify(VALUE))));
  const long = { ...VALUE, text: VALUE.text.repeat(4_000) }; // too long to be copied into one frame
  kite.handle("long", () => new RawJson(escapeMessage(JSON.stringify(long))));
  kite.handle("later", async () => await new RawJson('[\\"x\\"]'));
  kite.handle("within", () => [new RawJson("7")]);
  await using server = await kite.listen();
  for (const transport of ["WebSocket", "XHRPolling"] as const) {
    await using client = callingKite().newClient(server.url, { transport });
    await client.dial();
    assertEquals(await client.tell("raw"), VALUE);
    assertEquals(await client.tell("long"), long);
    assertEquals(await client.tell("later"), ["x"]);
    assertEquals(await client.tell("within"), [7]);
    const order = await Promise.all([client.tell("kite.ping"), client.tell("raw")]);
    assertEquals(order, ["pong", VALUE]);
  }
});

Deno.test("RawJson: an object that looks like one is not treated as one", () => {
  const made = new RawJson("7");
  assert(EncodedResult.is(made));
  const forgeries = [
    "7",
    { escaped: "7" },
    { "#escaped": "7" },
    Object.create(RawJson.prototype),
    Object.setPrototypeOf({ escaped: "7" }, RawJson.prototype),
    new Proxy(made, {}),
    JSON.parse('{"__proto__":{"escaped":"7"}}'),
    null,
    undefined,
  ];
  for (const forged of forgeries) assertFalse(EncodedResult.is(forged));
});
