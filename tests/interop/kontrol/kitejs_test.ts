/** kite.js's own Kontrol client, unmodified, at this project's Kontrol. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Kite, KiteIdentity } from "../../../mod.ts";
import type { TestKontrol } from "../../../src/testing/kontrol.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { Peer, PeerError } from "../peers.ts";
import {
  audienceOf,
  ENVIRONMENT,
  type Found,
  goKite,
  ourKontrolledKite,
  startBriskKontrol,
} from "./setup.ts";

async function kitejs(kontrol: TestKontrol): Promise<Peer> {
  const kiteKey = await kontrol.kiteKey("carol");
  return await Peer.kitejsKontrol(kontrol.url, "-username", "carol", "-kitekey", kiteKey);
}

async function registered(kontrol: TestKontrol): Promise<Kite> {
  const kite = ourKontrolledKite(await kontrol.kiteKey("bob"), kontrol.url);
  await kite.register((await kite.listen()).url);
  return kite;
}

/** What kite.js keeps of the identity of a kite that it found: all but the id. */
function withoutId({ id: _id, ...fields }: KiteIdentity): Omit<KiteIdentity, "id"> {
  return fields;
}

Deno.test({
  name: "kontrol: kite.js fetches kites and calls them",
  ...skipUnless("node"),
  fn: async () => {
    await using kontrol = await startBriskKontrol();
    await using first = await registered(kontrol);
    await using second = await registered(kontrol);
    await using peer = await kitejs(kontrol);

    const query = { username: "bob", environment: ENVIRONMENT, name: "target" };
    const one = await peer.call("fetchKite", [{ query }]) as Found;
    assertEquals(one.kite, withoutId(first.identity) as KiteIdentity);
    assertEquals(audienceOf(one.token), "/bob/testing/target");
    assertEquals(await peer.call("call", [one.number, "square", 8]), 64);
    const who = await peer.call("call", [one.number, "whoami"]) as { username: string };
    assertEquals(who.username, "carol");

    const all = await peer.call("fetchKites", [{ query: { name: "target" } }]) as Found[];
    assertEquals(all.length, 2);
    const { id } = second.identity;
    const byId = await peer.call("fetchKites", [{ query: { id } }]) as Found[];
    assertEquals(byId.length, 1);
    assert(all.some(({ url }) => url === byId[0]!.url));
    assertEquals(await peer.call("call", [byId[0]!.number, "square", 9]), 81);

    // kite.js's fetchKite throws on an empty list, because it cannot create its own error.
    assertEquals(await peer.call("fetchKites", [{ query: { name: "nosuch" } }]), []);
    await assertRejects(
      () => peer.call("fetchKites", [{ query: {} }]),
      PeerError,
      "all query fields",
    );
  },
});

Deno.test({
  name: "kontrol: kite.js fetches and calls a Go kite",
  ...skipUnless("go", "node"),
  fn: async () => {
    await using kontrol = await startBriskKontrol();
    await using go = await goKite(await kontrol.kiteKey("alice"));
    await go.call("registerForever");
    await using peer = await kitejs(kontrol);
    const found = await peer.call("fetchKite", [{ query: { name: "gopeer" } }]) as Found;
    assertEquals(await peer.call("call", [found.number, "square", 8]), 64);
  },
});

Deno.test({
  name: "kontrol: kite.js watches kites that register, move and disconnect",
  ...skipUnless("node"),
  fn: async () => {
    await using kontrol = await startBriskKontrol();
    await using peer = await kitejs(kontrol);
    const changes = async (count: number): Promise<[string, Found][]> => {
      await peer.event("change", count);
      const events = peer.events.filter(({ event }) => event === "change");
      return events.map(({ args }) => args as unknown as [string, Found]);
    };
    const watcher = await peer.call("watchKites", [{ query: { username: "bob" } }]);
    assertEquals(typeof watcher, "string");

    const kite = await registered(kontrol);
    const [[come, found] = []] = await changes(1);
    assertEquals([come, found?.kite], ["register", withoutId(kite.identity) as KiteIdentity]);
    assertEquals(await peer.call("call", [found!.number, "square", 3]), 9);
    await kite.registerOnce(`${found!.url}/moved`);
    assertEquals((await changes(2))[1]?.[1].url, `${found!.url}/moved`);
    await kite.close({ deadline: 0 });
    const [gone, last] = (await changes(3))[2]!;
    assertEquals([gone, last.token], ["deregister", ""]);

    await peer.call("cancelWatcher", [watcher]);
    const again = () => peer.call("cancelWatcher", [watcher]);
    await assertRejects(again, PeerError, "no watcher with that id");
    await using second = await registered(kontrol);
    // An answer after it: whatever Kontrol had to tell was told.
    const after = await peer.call("fetchKite", [{ query: { username: "bob" } }]) as Found;
    assertEquals(after.kite, withoutId(second.identity) as KiteIdentity);
    assertEquals((await changes(3)).length, 3);
  },
});

Deno.test({
  name: "kontrol: kite.js registers, with a text and with an object, and is kept alive",
  ...skipUnless("node"),
  fn: async () => {
    await using kontrol = await startBriskKontrol();
    await using finder = ourKontrolledKite(await kontrol.kiteKey("bob"), kontrol.url);
    const peer = await kitejs(kontrol);
    const identity = peer.events[0]?.args?.[0] as KiteIdentity;
    for (const argument of ["http://127.0.0.1:1/kite", { url: "http://127.0.0.1:2/kite" }]) {
      const { url } = await peer.call("register", [argument]) as { url: string };
      assertEquals(url, typeof argument === "string" ? argument : argument.url);
      const [client] = await finder.getKites({ id: identity.id });
      assertEquals([client?.url, client?.identity], [url, identity]);
    }
    // Longer than a kite without heartbeats is kept.
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    assertEquals((await finder.getKites({ id: identity.id })).length, 1);
    await peer.kill();
    const isGone = () => finder.getKites({ id: identity.id }).then(() => false, () => true);
    await eventually(isGone, { what: "the end of the registration" });
  },
});

Deno.test({
  name: "kontrol: kite.js renews its token before the end",
  ...skipUnless("node"),
  fn: async () => {
    // kite.js renews 5 minutes before the end: here after 2 s.
    await using kontrol = await startBriskKontrol({ tokens: { timeToLive: 302_000, leeway: 0 } });
    await using kite = await registered(kontrol);
    await using peer = await kitejs(kontrol);
    const query = { id: kite.identity.id };
    const found = await peer.call("fetchKite", [{ query }]) as Found;
    const { args: [number, token] = [] } = await peer.event("tokenSet");
    assertEquals(number, found.number);
    assert(token !== found.token);
    assertEquals(await peer.call("token", [number]), token);
    const { username } = await peer.call("call", [number, "whoami"]) as { username: string };
    assertEquals(username, "carol");
  },
});
