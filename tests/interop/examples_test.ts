/** `examples/math.ts`, unchanged, called by the real clients. */

import { assertEquals } from "@std/assert";
import { environment, start } from "../examples/support.ts";
import { skipUnless } from "../support/parts.ts";
import { Peer } from "./peers.ts";

const CLIENTS = [
  ["Go over WebSocket", "go", (url: string) => Peer.goClient(url, "-transport", "WebSocket")],
  ["Go over XHR", "go", (url: string) => Peer.goClient(url, "-transport", "XHRPolling")],
  ["kite.js", "node", (url: string) => Peer.kitejsClient(url)],
] as const;

for (const [name, part, dial] of CLIENTS) {
  Deno.test({
    name: `interop: ${name} calls examples/math.ts`,
    ...skipUnless(part),
    fn: async () => {
      const env = environment("/nowhere", { KITE_PORT: "0" });
      await using math = await start(["examples/math.ts"], env, /math listens at (\S+)/);
      await using client = await dial(math.caught);
      assertEquals(await client.call("square", [4]), 16);
      // As Go's math-cli asks; the thanks go to the caller's own kite.log.
      assertEquals(await client.call("square", [{ Number: 7, Name: "Ada" }]), 49);
      assertEquals(await client.call("slowSquare", [3]), 9);
    },
  });
}
