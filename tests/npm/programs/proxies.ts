/**
 * Kites of the installed package behind both of its proxies, called over each transport, plain and
 * over TLS. Prints "ok".
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { Kite } from "@kite/kite";
import { ReverseProxy, TunnelProxy } from "@kite/kite/proxy";

const { PEER_CERT: certFile = "", PEER_KEY: keyFile = "", PEER_CA = "" } = process.env;
const ca = readFileSync(PEER_CA, "utf8");
const quiet = { kiteKey: "", logLevel: "FATAL", ca } as const;

for (const isSecure of [false, true]) {
  const tls = { certFile, keyFile };
  const options = {
    ip: "127.0.0.1",
    port: 0,
    ...(isSecure ? { tls, publicHost: "localhost" } : {}),
    kite: { ...quiet, disableAuthentication: true },
  };
  const reverse = new ReverseProxy(options);
  await reverse.listen();
  const tunnel = new TunnelProxy(options);
  await tunnel.listen();

  const math = new Kite("math", "1.0.0", {
    ...quiet,
    ip: "127.0.0.1",
    ...(isSecure ? { tls } : {}),
  });
  const hidden = new Kite("hidden", "1.0.0", quiet);
  for (const kite of [math, hidden]) {
    kite.handle("square", ({ args }) => args.one().number() ** 2).disableAuthentication();
    kite.handle("echo", ({ args }) => args.one().string()).disableAuthentication();
  }
  const server = await math.listen();
  const own = isSecure ? `https://localhost:${server.port}/kite` : server.url;
  const urls = [
    await math.registerToProxy(own, { proxyUrl: reverse.url, kontrol: false }),
    await hidden.registerToTunnel({ proxyUrl: tunnel.url, kontrol: false }),
  ];

  const caller = new Kite("exp2", "1.0.0", quiet);
  const text = "é".repeat(300_000);
  for (const url of urls) {
    for (const transport of ["WebSocket", "XHRPolling"] as const) {
      const remote = caller.newClient(url, { transport });
      await remote.dial();
      for (let i = 0; i < 20; i++) {
        if (await remote.tell("square", i) !== i * i) throw new Error(`${url} over ${transport}`);
      }
      if (await remote.tell("echo", text) !== text) throw new Error(`${url} cuts a long text`);
      await remote.close();
    }
  }
  for (const kite of [caller, math, hidden]) await kite.close();
  await reverse.close();
  await tunnel.close();
}
process.stdout.write("ok\n", () => process.exit(0));
