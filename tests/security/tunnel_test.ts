import { assertEquals, assertRejects } from "@std/assert";
import { Kite, KiteError, type RemoteKite } from "../../mod.ts";
import { eventually } from "../support/eventually.ts";
import { callingKite } from "./kites.ts";

const LOOPBACK = { ip: "127.0.0.1", kiteKey: "", logLevel: "FATAL" } as const;

/** A private kite that only dials out, and lets `proxyUrl` dig a tunnel to it. */
function privateKite(): Kite {
  const kite = new Kite("private", "1.0.0", { ...LOOPBACK, builtins: { "kite.tunnel": true } });
  kite.handle("secret", () => "for friends");
  kite.handle("open", () => "for all").disableAuthentication();
  return kite;
}

Deno.test("kite.tunnel: dials the session's URL, and callers in it have to authenticate", async () => {
  const proxy = new Kite("proxy", "1.0.0", LOOPBACK);
  const arrived: RemoteKite[] = [];
  const paths: string[] = [];
  proxy.onConnect((remote) => arrived.push(remote));
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      const { pathname, search } = new URL(request.url);
      paths.push(pathname + search);
      return proxy.fetch(request);
    },
  );
  const { port } = server.addr;
  await using hidden = privateKite();
  await using line = hidden.newClient(`http://127.0.0.1:${port}/kite`);
  await line.dial();
  // As a tunnel proxy hands it out: a session of its own, with a token in the query.
  const url = `ws://127.0.0.1:${port}/kite/042/tunnel-session/websocket?token=x.y.z`;
  assertEquals(await arrived[0]!.tell("kite.tunnel", { url }), null);
  const stranger = await eventually(() => arrived[1]);
  assertEquals(paths[1], "/kite/042/tunnel-session/websocket?token=x.y.z");

  assertEquals(await stranger.tell("open"), "for all");
  await assertRejects(
    () => stranger.tell("secret"),
    KiteError,
    "No authentication information is provided",
  );
  // The line that the kite dialled itself is another matter.
  assertEquals(await arrived[0]!.tell("secret"), "for friends");
  await hidden.close();
  await proxy.close();
  await server.shutdown();
});

Deno.test("kite.tunnel: answers an error for an invalid or unreachable URL", async () => {
  const proxy = callingKite(LOOPBACK);
  const arrived: RemoteKite[] = [];
  proxy.onConnect((remote) => arrived.push(remote));
  await using server = await proxy.listen();
  await using hidden = privateKite();
  await using line = hidden.newClient(server.url);
  await line.dial();
  for (const url of ["nonsense", "ftp://127.0.0.1/x", "ws://127.0.0.1:9/tunnel/1/2/websocket"]) {
    await assertRejects(() => arrived[0]!.tell("kite.tunnel", { url }), KiteError);
  }
  assertEquals(await arrived[0]!.tell("kite.ping"), "pong");
});
