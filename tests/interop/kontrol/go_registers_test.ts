/** Real Go kites at this project's Kontrol: registered, kept alive, found again after changes. */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { KiteEvent } from "../../../src/discovery/watch.ts";
import { MemoryStorage } from "../../../kontrol/storage/memory.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { freePort } from "../../support/ports.ts";
import {
  audienceOf,
  checkFoundAndCalled,
  type Found,
  goKite,
  identityOf,
  ourKontrolledKite,
  startBriskKontrol,
} from "./setup.ts";

/** Every way in which a Go kite registers. */
const WAYS = ["register", "registerForever", "registerHTTP", "registerHTTPForever"] as const;

/** Longer than a silent kite, and a registration that is not refreshed, last in these tests. */
const KEPT_MS = 4_500;

Deno.test({
  name: "kontrol: Go kites register in every way, are called, kept alive, and noticed when gone",
  ...skipUnless("go"),
  fn: async () => {
    await using kontrol = await startBriskKontrol({
      storage: new MemoryStorage({ timeToLive: 4_000 }),
    });
    await using stack = new AsyncDisposableStack();
    const caller = stack.use(ourKontrolledKite(await kontrol.kiteKey("bob"), kontrol.url));
    const events: KiteEvent[] = [];
    await using watch = caller.watchKites({ username: "alice" });
    const watching = (async () => {
      for await (const event of watch) events.push(event);
    })();

    const kiteKey = await kontrol.kiteKey("alice");
    const kites = await Promise.all(WAYS.map((way) => goKite(kiteKey, "-name", way)));
    for (const kite of kites) stack.use(kite);
    await Promise.all(kites.map((kite, i) => kite.call(WAYS[i]!)));
    await eventually(() => events.length >= WAYS.length, { what: "a REGISTER of each" });
    for (const [i, kite] of kites.entries()) {
      const registered = events.find((event) => event.kite.name === WAYS[i]);
      assertEquals(registered?.kite, { ...identityOf(kite), username: "alice" });
      assertEquals(registered?.url, kite.url);
    }

    await new Promise((resolve) => setTimeout(resolve, KEPT_MS));
    assertEquals(events.length, WAYS.length, "all were kept, and none was told of twice");
    for (const way of WAYS) {
      const token = await checkFoundAndCalled(caller, { username: "alice", name: way });
      assertEquals(audienceOf(token), `/alice/testing/${way}`);
    }

    await Promise.all(kites.map((kite) => kite.kill()));
    const gone = (): KiteEvent[] => events.filter(({ action }) => action === "DEREGISTER");
    await eventually(() => gone().length === WAYS.length, {
      withinMs: 15_000,
      what: "a DEREGISTER of each",
    });
    await watch.close();
    await watching;
  },
});

Deno.test({
  name: "kontrol: Go kites are listed again by themselves after a restart of Kontrol",
  ...skipUnless("go"),
  fn: async () => {
    const port = freePort();
    await using stack = new AsyncDisposableStack();
    const first = await startBriskKontrol({ kite: { port } });
    stack.use(first);
    const kiteKey = await first.kiteKey("alice");
    const ways = ["registerForever", "registerHTTPForever"] as const;
    for (const way of ways) {
      await stack.use(await goKite(kiteKey, "-name", way)).call(way);
    }
    await first[Symbol.asyncDispose]();

    // Nothing is left of what was registered: another storage, the same keys.
    const second = stack.use(await startBriskKontrol({ kite: { port }, pair: first.pair }));
    const caller = stack.use(ourKontrolledKite(await second.kiteKey("bob"), second.url));
    for (const name of ways) await checkFoundAndCalled(caller, { name }, 30_000);
  },
});

Deno.test({
  name: "kontrol: a Go client gets tokens and the key, and the words of refusals",
  ...skipUnless("go"),
  fn: async () => {
    await using kontrol = await startBriskKontrol();
    await using stack = new AsyncDisposableStack();
    const kites = [];
    for (let i = 0; i < 2; i++) {
      const kite = stack.use(ourKontrolledKite(await kontrol.kiteKey("bob"), kontrol.url));
      await kite.register((await kite.listen()).url);
      kites.push(kite.identity);
    }
    const peer = stack.use(await goKite(await kontrol.kiteKey("alice")));

    const [target] = kites;
    const token = await peer.call("getToken", [target]) as string;
    assertEquals(audienceOf(token), "/bob/testing/target");
    assertEquals(await peer.call("getToken", [target]), token);
    const forced = await peer.call("getTokenForce", [target]) as string;
    assertNotEquals(forced, token);
    assertEquals(audienceOf(forced), "/bob/testing/target");
    // As Go's own renewer asks. A Go Kontrol answers with a token for every kite there is.
    const byId = await peer.call("getToken", [{ id: target!.id }]) as string;
    assertEquals(audienceOf(byId), "/bob/testing/target");

    const refusals: [string, unknown, string][] = [
      ["getToken", { name: "target" }, "query matches more than one kite"],
      ["getToken", { name: "nosuch" }, "no kites found"],
      ["getToken", { name: "nosuch", id: "no-uuid" }, "no kites found"],
      ["getToken", {}, "all query fields are empty"],
      ["getKites", { name: "nosuch" }, "no kites availabile"],
      ["getKites", {}, "all query fields are empty"],
      ["register", "", "empty url"],
      ["registerHTTP", "", "empty URL"],
    ];
    for (const [method, argument, words] of refusals) {
      const error = await peer.call(method, [argument]).then(() => undefined, (error) => error);
      assertEquals(error?.message, words, `${method} ${JSON.stringify(argument)}`);
    }
    assertEquals(await peer.call("getKey"), kontrol.pair.publicKey.trim());
  },
});

Deno.test({
  name: "kontrol: a Go client renews its token in time, again and again",
  ...skipUnless("go"),
  fn: async () => {
    // Go renews 30 s before the end: here after 3 s.
    await using kontrol = await startBriskKontrol({ tokens: { timeToLive: 33_000, leeway: 0 } });
    await using stack = new AsyncDisposableStack();
    const kite = stack.use(ourKontrolledKite(await kontrol.kiteKey("bob"), kontrol.url));
    await kite.register((await kite.listen()).url);
    const peer = stack.use(await goKite(await kontrol.kiteKey("alice")));
    const [found] = await peer.call("getKites", [{ name: "target" }]) as Found[];
    const begin = performance.now();
    await peer.call("dial", [0]);

    const renewed = [await peer.event("tokenRenew"), await peer.event("tokenRenew", 2)];
    assert(performance.now() - begin > 3_000, "it does not spin");
    const tokens = new Set([found?.token, ...renewed.map(({ args }) => args?.[1])]);
    assertEquals(tokens.size, 3);
    assertEquals(await peer.call("tell", [0, "square", 5]), 25);
    const { username } = await peer.call("tell", [0, "whoami"]) as { username: string };
    assertEquals(username, "alice");
  },
});
