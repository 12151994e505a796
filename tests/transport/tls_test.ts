// tls/ holds a certificate authority made for these tests alone and a certificate of it for localhost.
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { KiteError } from "../../src/protocol/errors.ts";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.ts";
import { dialSession } from "../../src/transport/dial_session.ts";
import { startServer } from "./support.ts";

Deno.test("TLS: every transport works by host name and by address", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", "--cert=tls/ca.pem", "tls/round_trip.ts"],
    cwd: import.meta.dirname!,
    signal: AbortSignal.timeout(15_000),
  }).output();
  const lines = ["localhost", "127.0.0.1"].flatMap((host) =>
    ["WebSocket", "XHRPolling", "rawWebSocket"].map((transport) => `${host} ${transport} true\n`)
  );
  assertEquals(new TextDecoder().decode(stdout), lines.join(""), new TextDecoder().decode(stderr));
  assertEquals(code, 0);
});

Deno.test("TLS: a certificate of an unknown authority is refused, without a fallback", async () => {
  await using server = startServer({ tls: true });
  for (const transport of ["auto", "XHRPolling", "rawWebSocket"] as const) {
    const error = await assertRejects(
      () =>
        dialSession(`wss://localhost:${server.port}/kite`, { transport, limits: DEFAULT_LIMITS }),
      KiteError,
    ) as KiteError;
    assertEquals(error.type, "sendError");
    assertMatch(error.message, /certificate|UnknownIssuer/);
  }
  assertEquals(server.requests, []);
});
