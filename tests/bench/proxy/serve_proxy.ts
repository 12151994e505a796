/**
 * Our reverse proxy, open to any kite: `--port`.
 *
 * @module
 */
import { ReverseProxy } from "../../../src/proxy/mod.ts";
import { preparePeer } from "../peer.ts";

const { port } = preparePeer();
const proxy = new ReverseProxy({
  ip: "127.0.0.1",
  port,
  kite: { disableAuthentication: true, kiteKey: "", logLevel: "FATAL" },
});
await proxy.listen();
