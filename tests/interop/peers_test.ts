/**
 * The peers among themselves: what fails here is the harness, not this project's kite.
 */

import { assertEquals, assertRejects } from "@std/assert";
import type { Part } from "../../tools/parts.ts";
import { skipUnless } from "../support/parts.ts";
import { Peer, PeerError, reported } from "./peers.ts";

interface Pairing {
  readonly name: string;
  readonly part: Part;
  readonly server: () => Promise<Peer>;
  readonly client: (url: string) => Promise<Peer>;
  /** A kite.js server folds the arguments of each call that it sends into `{error, result}`. */
  readonly folds: boolean;
}

const pairings: Pairing[] = [
  ...["WebSocket", "XHRPolling", "auto"].map((transport): Pairing => ({
    name: `Go to Go over ${transport}`,
    part: "go",
    server: () => Peer.goServer(),
    client: (url) => Peer.goClient(url, "-transport", transport),
    folds: false,
  })),
  {
    name: "Go to Go, auto, where WebSocket is off",
    part: "go",
    server: () => Peer.goServer("-transport", "XHRPolling"),
    client: (url) => Peer.goClient(url, "-transport", "auto"),
    folds: false,
  },
  {
    name: "kite.js to kite.js over a raw WebSocket",
    part: "node",
    server: () => Peer.kitejsServer(),
    client: (url) => Peer.kitejsClient(url),
    folds: true,
  },
  ...["SockJS", "XHRPolling", "XHRStreaming"].map((transport): Pairing => ({
    name: `kite.js to kite.js over ${transport}`,
    part: "node",
    server: () => Peer.kitejsServer("-transport", "SockJS", "-prefix", "/kite"),
    client: (url) => Peer.kitejsClient(url, "-transport", transport),
    folds: true,
  })),
];

for (const { name, part, server, client, folds } of pairings) {
  Deno.test({
    name: `peers: ${name}`,
    ...skipUnless(part),
    fn: async () => {
      await using serving = await server();
      await using calling = await client(serving.url);

      assertEquals(await calling.call("square", [4]), 16);
      assertEquals(await calling.call("echo", ["ü\u2028😀", { a: [1, null] }]), [
        "ü\u2028😀",
        { a: [1, null] },
      ]);
      assertEquals(await calling.call("reverse", ["cube", 3]), 27);

      const plain = await assertRejects(() => calling.call("fail"), PeerError, "boom");
      assertEquals(plain.type, "genericError");
      const typed = await assertRejects(() => calling.call("failTyped"), PeerError);
      assertEquals([typed.type, typed.code], ["teapotError", "418"]);

      assertEquals(await calling.call("countdown", [3, reported("tick")]), "liftoff");
      assertEquals(
        await calling.invocations("tick", 3),
        folds ? [[{ error: 3 }], [{ error: 2 }], [{ error: 1 }]] : [[3], [2], [1]],
      );
    },
  });
}

Deno.test({
  name: "peers: functions in results and arguments, Go to Go",
  ...skipUnless("go"),
  fn: async () => {
    await using serving = await Peer.goServer();
    await using calling = await Peer.goClient(serving.url);

    const { f } = await calling.call("fnResult") as { f: unknown };
    await calling.invoke(f, [20, reported("next")]);
    assertEquals(await calling.invocations("next"), [[21]]);

    await calling.call("nested", [reported("nest")]);
    const [[times] = []] = await calling.invocations("nest");
    await calling.invoke(times, [20, reported("product")]);
    assertEquals(await calling.invocations("product"), [[200]]);
  },
});
