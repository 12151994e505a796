import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Kite, KiteError, type KiteOptions } from "../../mod.ts";
import { startTestKontrol } from "../../src/testing/mod.ts";

const FILES = new URL("../transport/tls/", import.meta.url);
const QUIET = { ip: "127.0.0.1", kiteKey: "", logLevel: "FATAL" } as const;
const tls = { certFile: path("cert.pem"), keyFile: path("key.pem") };
const ca = await Deno.readTextFile(new URL("ca.pem", FILES));

function path(name: string): string {
  return new URL(name, FILES).pathname;
}

function mathKite(): Kite {
  const math = new Kite("math", "1.0.0", { ...QUIET, tls });
  math.handle("square", ({ args }) => args.one().number() ** 2).disableAuthentication();
  return math;
}

for (const transport of ["auto", "WebSocket", "rawWebSocket", "XHRPolling"] as const) {
  Deno.test(`ca: a private authority is trusted over ${transport}, by option of the kite or the client`, async () => {
    await using server = await mathKite().listen();
    const byKite = new Kite("exp2", "1.0.0", { ...QUIET, ca });
    const byClient = new Kite("exp2", "1.0.0", QUIET);
    for (
      const client of [
        byKite.newClient(server.url, { transport }),
        byClient.newClient(server.url, { transport, ca: [ca] }),
      ]
    ) {
      await client.dial();
      assertEquals(await client.tell("square", 4), 16);
      await client[Symbol.asyncDispose]();
    }
  });

  Deno.test(`ca: without it a private authority is refused over ${transport}`, async () => {
    await using server = await mathKite().listen();
    await using client = new Kite("exp2", "1.0.0", QUIET).newClient(server.url, { transport });
    const error = await assertRejects(() => client.dial(), KiteError) as KiteError;
    assertEquals(error.type, "sendError");
    assertMatch(error.message, /certificate|UnknownIssuer/);
  });
}

for (const way of ["registerOnce", "registerHttp"] as const) {
  Deno.test(`ca: ${way} reaches a Kontrol with a certificate of a private authority`, async () => {
    await using kontrol = await startTestKontrol({ kite: { ...QUIET, tls } });
    const options: KiteOptions = { ...QUIET, kontrolUrl: kontrol.url };
    const kiteKey = await kontrol.kiteKey();
    await using trusting = new Kite("math", "1.0.0", { ...options, kiteKey, ca });
    const url = "https://math.test/kite";
    assertEquals((await trusting[way](url)).url, url);
    await using other = new Kite("math", "1.0.0", { ...options, kiteKey });
    if (way === "registerOnce") {
      const error = await assertRejects(() => other[way](url), KiteError) as KiteError;
      assertMatch(error.message, /certificate|UnknownIssuer/);
    }
  });
}
