/**
 * Our server: `--port [--kontrolkey=FILE]`; with a key it asks for a token with every call.
 *
 * @module
 */
import { Kite } from "../../mod.ts";
import { ISSUER, USER } from "./credentials.ts";
import { preparePeer } from "./peer.ts";
import { typed } from "./typed.ts";

const { options, port } = preparePeer();
const keyFile = options.find("kontrolkey");

const kite = new Kite("math", "1.0.0", {
  ip: "127.0.0.1",
  port,
  username: USER,
  kontrolUser: ISSUER,
  ...(keyFile === undefined ? {} : { kontrolKey: Deno.readTextFileSync(keyFile) }),
});
if (keyFile === undefined) kite.disableAuthentication();
kite.handle("square", ({ args }) => args.one().number() ** 2);
kite.implement(typed, { typedSquare: (n) => n ** 2 });
kite.handle("size", ({ args }) => args.one().string().length);
kite.handle(
  "slow",
  ({ args }) => new Promise((resolve) => setTimeout(resolve, args.one().number())),
);
kite.handle("items", async function* ({ args }) {
  const to = args.one().number();
  for (let n = 0; n < to; n++) yield n;
});
await kite.listen();
