/** What a Kontrol, or one who answers in its place, cannot make a kite do. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { readGetKitesResult } from "../../src/discovery/found_kites.ts";
import { readRegisterResult } from "../../src/discovery/register_result.ts";
import { Kite } from "../../src/kite.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { createTestKeys } from "../../src/testing/mod.ts";
import { keepingLogger } from "./kites.ts";

const KITE_KEY = await (await createTestKeys()).kiteKey();
const URL = "http://127.0.0.1:1/kite";

/** An HTTP server in Kontrol's place, and a kite that uses it. */
function kiteAt(handler: (request: Request) => Response): { kite: Kite } & AsyncDisposable {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
  const kontrolUrl = `http://127.0.0.1:${server.addr.port}/kite`;
  const kite = new Kite("k", "1.0.0", { kiteKey: KITE_KEY, kontrolUrl, logger: keepingLogger() });
  return {
    kite,
    [Symbol.asyncDispose]: async () => {
      await kite.close();
      await server.shutdown();
    },
  };
}

const INTERVALS: readonly (readonly [given: string, seconds: number])[] = [
  ["1e9", 3_600],
  ["1e99", 3_600],
  ["1e999", 3_600],
  ["2147484", 3_600],
  ["1e-6", 1],
  ["5e-324", 1],
  ["3", 3],
  ["0", 0],
  ["-1", 0],
  ["-1e999", 0],
  ['"10"', 0],
  ['"NaN"', 0],
  ["null", 0],
  ["true", 0],
  ["[]", 0],
  ['{"valueOf": 1}', 0],
];

for (const [given, seconds] of INTERVALS) {
  Deno.test(`a heartbeat interval of ${given} from Kontrol becomes ${seconds} s`, () => {
    const answer = JSON.parse(`{"url": "${URL}", "heartbeatInterval": ${given}}`);
    assertEquals(readRegisterResult(answer).heartbeatInterval, seconds);
  });
}

Deno.test("no heartbeat interval from Kontrol makes a kite send one after the other", async () => {
  for (const given of ["1e9", "1e999", "1e-6", '"x"']) {
    let beats = 0;
    await using setting = kiteAt(({ url }) => {
      if (url.endsWith("/register")) {
        return new Response(`{"url": "${URL}", "heartbeatInterval": ${given}}`);
      }
      beats++;
      return new Response("pong");
    });
    await setting.kite.registerHttp(URL);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert(beats <= 1, `${given}: ${beats} heartbeats in 1.5 s`);
  }
});

for (const status of [301, 302, 303, 307, 308]) {
  Deno.test(`fetchKontrol: a redirect (${status}) receives neither the kite.key nor the heartbeat token`, async () => {
    const stolen: string[] = [];
    const thief = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      stolen.push(`${request.url} ${await request.text()}`);
      return Response.json({ url: URL, heartbeatInterval: 10 });
    });
    const location = `http://127.0.0.1:${thief.addr.port}/register?session=secret`;
    try {
      await using setting = kiteAt(() => new Response(null, { status, headers: { location } }));
      const outcome = setting.kite.registerHttp(URL).catch((error: KiteError) => error.type);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await setting.kite.close();
      assertEquals([await outcome, stolen], ["aborted", []]);
      const { lines } = setting.kite.log as ReturnType<typeof keepingLogger>;
      assertEquals(lines.length, 1, "reported once, not for each try");
    } finally {
      await thief.shutdown();
    }
  });
}

const BAD_URLS: readonly unknown[] = [
  "javascript:alert(1)",
  "file:///etc/passwd",
  "http://user:password@host/kite",
  "http://host/kite\r\nx: y",
  "http://host/\u001b[31m",
  "http://host/\u2028\u202e",
  "http://host/a b",
  `http://host/${"x".repeat(3_000)}`,
  "//host/kite",
  "kite",
  7,
  { toString: () => "http://host/kite" },
];

Deno.test("getKites: skips a kite with an unusable URL, and returns the others", () => {
  const identity = { name: "math", username: "u", id: "1" };
  const kites = [...BAD_URLS, ""].map((url) => ({ kite: identity, url, token: "t" }));
  const good = { kite: identity, url: "https://host:1/kite?a=b", token: "t" };
  const result = readGetKitesResult({ kites: [null, 1, "x", {}, ...kites, good] });
  assertEquals(result.kites.map(({ url }) => url), ["https://host:1/kite?a=b"]);
});

Deno.test("register: an answer with an unusable URL is refused", async () => {
  for (const url of BAD_URLS) {
    const read = () => Promise.resolve().then(() => readRegisterResult({ url }));
    const error = await assertRejects(read, KiteError);
    assertEquals(error.type, "invalidResponse");
    assertMatch(error.message, /^Cannot read the answer to the registration: its url must be/);
  }
});
