import { assertEquals, assertStringIncludes } from "@std/assert";
import { type ClientTransport, Kite } from "../../../mod.ts";
import type { TestKontrol } from "../../../src/testing/kontrol.ts";
import { skipUnless } from "../../support/parts.ts";
import { eventually } from "../../support/eventually.ts";
import { findAll, goKite, identityOf, ourKontrolledKite } from "../kontrol/setup.ts";
import type { Peer } from "../peers.ts";
import {
  ENVIRONMENT,
  type Make,
  openKiteBehindGo,
  ourKiteBehind,
  type ProxyName,
  startAtKontrol,
} from "./setup.ts";

const needs = skipUnless("go");
const MAKES: readonly Make[] = ["ours", "go"];
const PATHS: Readonly<Record<ProxyName, string>> = {
  proxy: "/proxy/",
  tunnelproxy: "/proxy?kiteID=",
};

/** Go's own client puts its XHR requests behind the query of a tunnel's URL, which leads nowhere. */
function transportsOf(make: Make, name: ProxyName): readonly ClientTransport[] {
  // Go's tunnel proxy joins WebSockets only.
  return name === "tunnelproxy" && make === "go" ? ["WebSocket"] : ["WebSocket", "XHRPolling"];
}

/** A kite of ours finds the kite at its proxy's URL, and calls it over each transport. */
async function checkOurCalls(
  kontrol: TestKontrol,
  id: string,
  path: string,
  transports: readonly ClientTransport[],
): Promise<void> {
  for (const transport of transports) {
    await using caller: Kite = ourKontrolledKite(await kontrol.kiteKey("alice"), kontrol.url, {
      ...(transport === "rawWebSocket" ? {} : { transport: transport as "WebSocket" }),
    });
    const [remote] = await eventually(async () => await caller.getKites({ id }));
    assertStringIncludes(remote!.url, path);
    await remote!.dial();
    assertEquals(await remote!.tell("square", 4), 16, transport);
    const called = Promise.withResolvers<unknown>();
    await remote!.tell("callback", 7, called.resolve);
    assertEquals(await called.promise, 7, transport);
    remote!.close();
  }
}

/** A Go kite finds the kite at its proxy's URL, and calls it. */
async function checkGoCalls(
  kontrol: TestKontrol,
  id: string,
  path: string,
  ...flags: string[]
): Promise<void> {
  await using caller: Peer = await goKite(await kontrol.kiteKey("alice"), ...flags);
  const [found] = await findAll(caller, { id });
  assertStringIncludes(found!.url, path);
  await caller.call("dial", [0]);
  assertEquals(await caller.call("tell", [0, "square", 5]), 25);
}

for (const make of MAKES) {
  for (const name of ["proxy", "tunnelproxy"] as const) {
    const what = `${make === "go" ? "Go's" : "our"} ${name}`;
    const path = PATHS[name];

    Deno.test({
      name: `${what}: a kite of ours behind it is found and called by ours and by Go kites`,
      ...needs,
      async fn() {
        await using at = await startAtKontrol(make, name);
        await using behind = await ourKiteBehind(at.kontrol, name);
        assertStringIncludes(behind.url, path);
        await checkOurCalls(at.kontrol, behind.kite.id, path, transportsOf(make, name));
        await checkGoCalls(at.kontrol, behind.kite.id, path, "-transport", "WebSocket");
        if (name === "proxy") {
          await checkGoCalls(at.kontrol, behind.kite.id, path, "-transport", "XHRPolling");
        }
      },
    });

    Deno.test({
      name: `${what}: a Go kite behind it is found and called by ours and by Go kites`,
      ...needs,
      async fn() {
        await using at = await startAtKontrol(make, name);
        await using behind = await goKite(await at.kontrol.kiteKey("alice"), "-name", "behind");
        assertEquals(identityOf(behind).environment, ENVIRONMENT);
        await behind.call(name === "proxy" ? "registerToProxy" : "registerToTunnel", []);
        const { id } = identityOf(behind);
        await checkOurCalls(at.kontrol, id, path, transportsOf(make, name));
        await checkGoCalls(at.kontrol, id, path, "-transport", "WebSocket");
        if (name === "proxy") await checkGoCalls(at.kontrol, id, path, "-transport", "XHRPolling");
      },
    });
  }
}

Deno.test({
  name: "Go's proxy: a client of ours is not taken for a page by a kite that takes everyone",
  ...needs,
  async fn() {
    await using behind = await openKiteBehindGo();
    const caller = new Kite("caller", "1.0.0", { kiteKey: "", logLevel: "FATAL" });
    for (const transport of ["WebSocket", "XHRPolling"] as const) {
      await using remote = caller.newClient(behind.url, { transport });
      await remote.dial();
      assertEquals(await remote.tell("square", 6), 36, transport);
    }
  },
});
