/** `kite.heartbeat` in every pairing: at once where the kite does that, then every second. */

import { assert, assertEquals } from "@std/assert";
import type { Part } from "../../tools/parts.ts";
import { skipUnless } from "../support/parts.ts";
import { type Caller, OurCaller } from "./caller.ts";
import { ourKite } from "./our_kite.ts";
import { Peer, reported } from "./peers.ts";

interface Pairing {
  readonly name: string;
  readonly part: Part;
  /** The dialling end of a connection, that asks for the heartbeat. */
  readonly dial: (stack: AsyncDisposableStack) => Promise<Caller>;
}

async function weDial(stack: AsyncDisposableStack, peer: Peer, raw = false): Promise<Caller> {
  const client = stack.use(ourKite()).newClient(stack.use(peer).url, {
    transport: raw ? "rawWebSocket" : "WebSocket",
  });
  await client.dial();
  return new OurCaller(client);
}

async function weServe(
  stack: AsyncDisposableStack,
  dial: (url: string) => Promise<Peer>,
): Promise<Caller> {
  const { url } = await stack.use(ourKite()).listen();
  return stack.use(await dial(url));
}

const pairings: Pairing[] = [
  { name: "ours asks Go", part: "go", dial: async (s) => weDial(s, await Peer.goServer()) },
  { name: "Go asks ours", part: "go", dial: (s) => weServe(s, (url) => Peer.goClient(url)) },
  {
    name: "Go asks ours over XHR",
    part: "go",
    dial: (s) => weServe(s, (url) => Peer.goClient(url, "-transport", "XHRPolling")),
  },
  {
    name: "ours asks kite.js",
    part: "node",
    dial: async (s) => weDial(s, await Peer.kitejsServer(), true),
  },
  {
    name: "kite.js asks ours",
    part: "node",
    dial: (s) => weServe(s, (url) => Peer.kitejsClient(url.replace("http:", "ws:"))),
  },
];

for (const { name, part, dial } of pairings) {
  Deno.test({
    name: `interop: heartbeat, ${name}`,
    ...skipUnless(part),
    fn: async () => {
      await using stack = new AsyncDisposableStack();
      const caller = await dial(stack);
      const begin = performance.now();
      assertEquals(await caller.call("kite.heartbeat", [1, reported("ping")]) ?? null, null);
      await caller.invocations("ping", 2);
      const seconds = (performance.now() - begin) / 1000;
      assert(seconds > 0.9 && seconds < 4, `two pings took ${seconds} s`);
    },
  });
}
