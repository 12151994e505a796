/**
 * A kite in its own process: `kite_program.ts <name> <over> <home> <Kontrol's URL, …>`, where `over` is
 * `websocket` or `http`. It prints its ID once it is registered.
 *
 * @module
 */
import { Kite } from "../../../mod.ts";

const [name = "", over = "", kiteHome = "", kontrolUrls = ""] = Deno.args;
const kite = new Kite(name, "1.0.0", {
  ip: "127.0.0.1",
  port: 0,
  environment: "faults",
  kiteHome,
  kontrolUrl: kontrolUrls.split(","),
  logLevel: "FATAL",
});
kite.handle("square", ({ args }) => args.one().number() ** 2);
kite.handle("who", ({ username, authentication }) => `${username} by ${authentication?.type}`);
kite.handle("now", () => Date.now());
const { url } = await kite.listen();
await (over === "http" ? kite.registerHttp(url) : kite.register(url));
console.log(`registered ${kite.id}`);
