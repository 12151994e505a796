/** A peer goes and comes back: the other end dials again, and calls work again. */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { skipUnless } from "../support/parts.ts";
import { freePort } from "../support/ports.ts";
import { ourKite } from "./our_kite.ts";
import { Peer, reported } from "./peers.ts";

const QUICK = { initialDelay: 50, maxDelay: 200 };

type Start = (port: number) => Promise<Peer>;

const ourDials = [
  {
    name: "Go over WebSocket",
    part: "go",
    transport: "WebSocket",
    start: (port: number) => Peer.goServer("-port", String(port)),
  },
  {
    name: "Go over XHR",
    part: "go",
    transport: "XHRPolling",
    start: (port: number) => Peer.goServer("-port", String(port)),
  },
  {
    name: "kite.js over a raw WebSocket",
    part: "node",
    transport: "rawWebSocket",
    start: (port: number) => Peer.kitejsServer("-port", String(port)),
  },
] as const;

for (const { name, part, transport, start } of ourDials) {
  Deno.test({
    name: `interop: ours dials ${name} again after a crash`,
    ...skipUnless(part),
    fn: () => crashAndReturn(transport, start),
  });
}

async function crashAndReturn(
  transport: "WebSocket" | "XHRPolling" | "rawWebSocket",
  start: Start,
): Promise<void> {
  const port = freePort();
  await using first = await start(port);
  await using kite = ourKite();
  const client = kite.newClient(first.url, { transport, reconnect: QUICK });
  let connects = 0;
  client.onConnect(() => connects++);
  await client.dialForever();
  assertEquals(await client.tell("square", 4), 16);

  const ticks: unknown[] = [];
  await client.tell("countdown", 3, (n: unknown) => ticks.push(n));
  await first.kill();
  await eventually(() => client.state === "redialling", { what: "the disconnect" });

  // Made while there is no connection: it waits, and is answered by the new process.
  const waiting = client.tellWith({ timeout: 15_000 }, "square", 5);
  await using _second = await start(port);
  assertEquals(await waiting, 25);
  assertEquals(connects, 2);
  assertEquals(await client.tell("countdown", 3, (n: unknown) => ticks.push(n)), "liftoff");
  await eventually(() => ticks.length === 6, { what: "all ticks" });
}

const theyDial = [
  { name: "Go over WebSocket", part: "go", dial: goAgain("WebSocket") },
  { name: "Go over XHR", part: "go", dial: goAgain("XHRPolling") },
  {
    name: "kite.js over a raw WebSocket",
    part: "node",
    dial: (url: string) => Peer.kitejsClient(url.replace("http:", "ws:"), "-forever"),
  },
  {
    name: "kite.js over SockJS",
    part: "node",
    dial: (url: string) => Peer.kitejsClient(url, "-transport", "SockJS", "-forever"),
  },
] as const;

function goAgain(transport: string): (url: string) => Promise<Peer> {
  return (url) => Peer.goClient(url, "-transport", transport, "-forever");
}

for (const { name, part, dial } of theyDial) {
  Deno.test({
    name: `interop: ${name} dials ours again after it was closed`,
    ...skipUnless(part),
    fn: async () => {
      const port = freePort();
      const first = ourKite({ port });
      const { url } = await first.listen();
      await using peer = await dial(url);
      await peer.event("connect");
      assertEquals(await peer.call("square", [4]), 16);
      await first.close({ deadline: 0 });
      await peer.event("disconnect");

      await using second = ourKite({ port });
      await second.listen();
      await peer.event("connect", 2);
      assertEquals(await peer.call("square", [5]), 25);
      assertEquals(await peer.call("countdown", [3, reported("tick")]), "liftoff");
      assertEquals(await peer.invocations("tick", 3), [[3], [2], [1]]);
    },
  });
}
