/** Failures between kites: silence, a crash during a call, refusals, unusual text. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../mod.ts";
import { skipUnless } from "../support/parts.ts";
import { ourKite } from "./our_kite.ts";
import { Peer, PeerError } from "./peers.ts";

const raw = (url: string) => url.replace("http:", "ws:");

/** Peers to dial, with the transports that they have. */
const servers = [
  { name: "Go", part: "go", transport: "WebSocket", start: () => Peer.goServer() },
  { name: "Go over XHR", part: "go", transport: "XHRPolling", start: () => Peer.goServer() },
  { name: "kite.js", part: "node", transport: "rawWebSocket", start: () => Peer.kitejsServer() },
] as const;

/** Peers that dial. */
const clients = [
  { name: "Go", part: "go", dial: (url: string) => Peer.goClient(url) },
  {
    name: "Go over XHR",
    part: "go",
    dial: (url: string) => Peer.goClient(url, "-transport", "XHRPolling"),
  },
  { name: "kite.js", part: "node", dial: (url: string) => Peer.kitejsClient(raw(url)) },
] as const;

for (const { name, part, transport, start } of servers) {
  Deno.test({
    name: `interop: ${name} does not answer in time`,
    ...skipUnless(part),
    fn: async () => {
      await using peer = await start();
      await using kite = ourKite();
      const client = kite.newClient(peer.url, { transport });
      await client.dial();
      const late = client.tellWith({ timeout: 50 }, "slow", 200);
      const error = await assertRejects(() => late, KiteError);
      assertEquals(error.type, "timeout");
      // The late answer must not match a newer call.
      assertEquals(await client.tell("slow", 250), 250);
      assertEquals(client.load.pending, 0);
    },
  });

  Deno.test({
    name: `interop: ${name} dies in the middle of our call`,
    ...skipUnless(part),
    fn: async () => {
      await using peer = await start();
      await using kite = ourKite();
      const client = kite.newClient(peer.url, { transport });
      await client.dial();
      await client.tell("square", 1);
      const begin = performance.now();
      const call = assertRejects(() => client.tell("slow", 60_000), KiteError);
      await peer.kill();
      assertEquals((await call).type, "disconnect");
      assert(performance.now() - begin < 3_000);
    },
  });
}

for (const { name, part, dial } of clients) {
  Deno.test({
    name: `interop: ${name} dies in the middle of its call`,
    ...skipUnless(part),
    fn: async () => {
      await using kite = ourKite();
      const began = Promise.withResolvers<void>();
      const aborted = Promise.withResolvers<void>();
      kite.handle("wait", async ({ signal }) => {
        signal.addEventListener("abort", () => aborted.resolve(), { once: true });
        began.resolve();
        await aborted.promise;
      });
      const { url } = await kite.listen();
      await using peer = await dial(url);
      const call = assertRejects(() => peer.call("wait"), Error, "ended before it answered");
      await began.promise;
      await peer.kill();
      // Over XHR the death is seen when the session's polls stay away.
      await aborted.promise;
      await call;
    },
  });

  Deno.test({
    name: `interop: ${name} calls too often, and without permission`,
    ...skipUnless(part),
    fn: async () => {
      await using kite = ourKite({ disableAuthentication: false });
      kite.handle("open", () => "in").disableAuthentication().throttle(60_000, 2);
      const { url } = await kite.listen();
      await using peer = await dial(url);
      assertEquals([await peer.call("open"), await peer.call("open")], ["in", "in"]);
      const often = await assertRejects(() => peer.call("open"), PeerError, "maximum request rate");
      assertEquals(often.type, "requestLimitError");
      const stranger = await assertRejects(() => peer.call("square", [2]), PeerError);
      assertEquals(stranger.type, "authenticationError");
    },
  });

  Deno.test({
    name: `interop: ${name} sends half a character`,
    ...skipUnless(part),
    fn: async () => {
      await using kite = ourKite();
      let seen: unknown;
      kite.handle("keep", ({ args }) => {
        seen = args.one().string();
        return `${seen}\ud83d`;
      });
      const { url } = await kite.listen();
      await using peer = await dial(url);
      const back = await peer.call("keep", ["half \udc00"]);
      // Go has no half characters: it puts U+FFFD in their place.
      const known = name === "kite.js" ? ["half \udc00", "half \udc00\ud83d"] : [
        "half \ufffd",
        "half \ufffd\ufffd",
      ];
      assertEquals([seen, back], known);
    },
  });
}

Deno.test({
  name: "interop: Go with auto falls back where ours has no WebSocket",
  ...skipUnless("go"),
  fn: async () => {
    await using kite = ourKite({ sockjs: { webSocket: false } });
    const { url } = await kite.listen();
    await using peer = await Peer.goClient(url, "-transport", "auto");
    assertEquals(await peer.call("square", [4]), 16);
    assertEquals([...kite.connections].map(({ transport }) => transport), ["XHRPolling"]);
  },
});
