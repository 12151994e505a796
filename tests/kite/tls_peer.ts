// A kite behind TLS and a client of it, in one process that trusts the authority made for tests.
import { Kite } from "../../mod.ts";

const files = new URL("../transport/tls/", import.meta.url).pathname;
const options = { ip: "127.0.0.1", logLevel: "ERROR" } as const;
const math = new Kite("math", "1.0.0", {
  ...options,
  tls: { certFile: `${files}cert.pem`, keyFile: `${files}key.pem` },
});
math.handle("square", ({ args }) => args.one().number() ** 2).disableAuthentication();
await using server = await math.listen();
for (const transport of ["WebSocket", "XHRPolling"] as const) {
  await using client = new Kite("exp2", "1.0.0", options).newClient(server.url, { transport });
  await client.dial();
  console.log(new URL(server.url).protocol, transport, await client.tell("square", 4));
}
