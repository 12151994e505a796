/** Helpers of the tests in this folder: proxies of both implementations at our Kontrol. */

import type { Kite, KontrolQuery } from "../../../mod.ts";
import { ReverseProxy, TunnelProxy } from "../../../src/proxy/mod.ts";
import { createTestKeys } from "../../../src/testing/keys.ts";
import type { TestKontrol } from "../../../src/testing/kontrol.ts";
import { freePort } from "../../support/ports.ts";
import { eventually } from "../../support/eventually.ts";
import {
  ENVIRONMENT,
  ourKontrolledKite,
  startBriskKontrol,
  temporaryFile,
} from "../kontrol/setup.ts";
import { ourKite } from "../our_kite.ts";
import { Peer } from "../peers.ts";

export { ENVIRONMENT };

/** The implementation of the proxy. */
export type Make = "ours" | "go";
/** The kind of proxy. */
export type ProxyName = "proxy" | "tunnelproxy";

/** A Kontrol of ours, and a proxy of either make that is registered there. */
export async function startAtKontrol(
  make: Make,
  name: ProxyName,
): Promise<{ kontrol: TestKontrol; proxyUrl: string } & AsyncDisposable> {
  const kontrol = await startBriskKontrol();
  const kiteKey = await kontrol.kiteKey("kontrol");
  const stack = new AsyncDisposableStack();
  stack.use(kontrol);
  const proxyUrl = make === "go"
    ? await startGo(stack, name, kiteKey)
    : await startOurs(stack, name, kiteKey, kontrol.url);
  const caller = await kontrol.newKite("waiter", "1.0.0");
  const query: KontrolQuery = { username: "kontrol", environment: ENVIRONMENT, name };
  await eventually(async () => await caller.getKites(query), { what: `${make} ${name}` });
  await caller.close();
  return { kontrol, proxyUrl, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function startOurs(
  stack: AsyncDisposableStack,
  name: ProxyName,
  kiteKey: string,
  kontrolUrl: string,
): Promise<string> {
  const kite = { kiteKey, kontrolUrl, environment: ENVIRONMENT, logLevel: "FATAL" } as const;
  const options = { ip: "127.0.0.1", port: 0, kite } as const;
  const proxy = stack.use(
    name === "proxy" ? new ReverseProxy(options) : new TunnelProxy(options),
  );
  await proxy.listen();
  await proxy.register();
  return proxy.url;
}

async function startGo(
  stack: AsyncDisposableStack,
  name: ProxyName,
  kiteKey: string,
): Promise<string> {
  const file = stack.use(await temporaryFile(kiteKey));
  const port = freePort();
  const flags = ["-port", String(port), "-kitekeyfile", file.path, "-environment", ENVIRONMENT];
  if (name === "proxy") {
    stack.use(await Peer.goReverseProxy(...flags));
  } else {
    const { pair } = await createTestKeys({ kontrolUser: "any", kontrolUrl: "http://any/kite" });
    const publicKey = stack.use(await temporaryFile(pair.publicKey));
    const privateKey = stack.use(await temporaryFile(pair.privateKey));
    stack.use(
      await Peer.goTunnelProxy(...flags, "-public", publicKey.path, "-private", privateKey.path),
    );
  }
  return `http://127.0.0.1:${port}/kite`;
}

/**
 * A kite of ours behind the proxy that Kontrol names.
 *
 * @returns its URL there
 */
export async function ourKiteBehind(
  kontrol: TestKontrol,
  name: ProxyName,
): Promise<{ kite: Kite; url: string } & AsyncDisposable> {
  const kite = ourKontrolledKite(await kontrol.kiteKey("alice"), kontrol.url);
  let url: string;
  if (name === "proxy") {
    const server = await kite.listen();
    url = await kite.registerToProxy(server.url);
  } else {
    url = await kite.registerToTunnel();
  }
  return { kite, url, [Symbol.asyncDispose]: () => kite.close() };
}

/**
 * A kite of ours that takes everyone, behind Go's reverse proxy, which copies the `Origin` of a client
 * and replaces the host.
 */
export async function openKiteBehindGo(): Promise<{ url: string } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const port = freePort();
  stack.use(await Peer.goReverseProxy("-open", "-port", String(port)));
  const kite = stack.use(ourKite());
  const server = await kite.listen();
  const proxyUrl = `http://127.0.0.1:${port}/kite`;
  await kite.registerToProxy(server.url, { proxyUrl, kontrol: false });
  const opened = stack.move();
  return {
    url: `http://127.0.0.1:${port}/proxy/${kite.id}`,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
