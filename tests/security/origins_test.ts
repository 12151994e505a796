import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Kite, KiteError } from "../../mod.ts";
import { targetKite } from "./kites.ts";

const HOST = "127.0.0.1:3636";
const LOOPBACK = "127.0.0.1:50000";
const PUBLIC = "203.0.113.9:50000";
const EVIL = "https://evil.example";
const BROWSER = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64)" };

/** A caller as the kite sees it. */
interface Caller {
  readonly headers?: Readonly<Record<string, string>>;
  readonly remoteAddress?: string;
  readonly host?: string;
}

/** Calls a method over XHR polling. Returns its result, the type of its error, or an HTTP status. */
async function call(kite: Kite, { headers, remoteAddress = LOOPBACK, host = HOST }: Caller) {
  const session = `http://${host}/kite/000/${crypto.randomUUID()}`;
  const post = async (path: string, body = "") => {
    const init = { method: "POST", body, headers: { host, ...headers } };
    const response = await kite.fetch(new Request(`${session}/${path}`, init), { remoteAddress });
    return { status: response.status, text: await response.text() };
  };
  const opened = await post("xhr");
  if (opened.status !== 200) return opened.status;
  assertEquals(opened.text, "o\n");
  const message = {
    method: "square",
    arguments: [{ withArgs: [4], responseCallback: "[Function]" }],
    callbacks: { 0: [0, "responseCallback"] },
  };
  await post("xhr_send", JSON.stringify([JSON.stringify(message)]));
  const [answer] = JSON.parse((await post("xhr")).text.slice(1)) as string[];
  const { error, result } = JSON.parse(answer!).arguments[0];
  return error === null ? result : error.message.includes("origins") ? error.type : error;
}

const REFUSED: Readonly<Record<string, Caller>> = {
  "a page of another site": { headers: { origin: EVIL, ...BROWSER } },
  "an origin of another site without the headers of a browser": { headers: { origin: EVIL } },
  "a page of another port": { headers: { origin: "http://127.0.0.1:8080", ...BROWSER } },
  "a page of localhost, on another port": { headers: { origin: "http://localhost:5173" } },
  "a sandboxed page": { headers: { origin: "null", ...BROWSER } },
  "a script element of another site": { headers: { "sec-fetch-site": "cross-site" } },
  "a page of a browser that tells nothing": { headers: BROWSER },
  "a page whose name was made to resolve to this machine": {
    headers: { origin: "http://evil.example:3636", ...BROWSER },
    host: "evil.example:3636",
  },
  "a page that pretends to come through a proxy": {
    headers: { origin: EVIL, "x-forwarded-host": "evil.example", ...BROWSER },
  },
  "an origin that continues with the kite's host": {
    headers: { origin: `http://${HOST}.evil.example` },
  },
  "an origin with a user that is the kite's host": {
    headers: { origin: `http://${HOST}@evil.example` },
  },
  "a page in a private network": { headers: { origin: EVIL }, remoteAddress: "192.168.1.7:5" },
  "a page over IPv6 loopback": { headers: { origin: EVIL }, remoteAddress: "[::1]:5" },
  "a page over IPv4 in IPv6": { headers: { origin: EVIL }, remoteAddress: "[::ffff:127.0.0.1]:5" },
  "a page in a private IPv6 network": { headers: { origin: EVIL }, remoteAddress: "[fd00::1]:5" },
  "a page at an unknown address": { headers: { origin: EVIL }, remoteAddress: "" },
};

for (const [name, caller] of Object.entries(REFUSED)) {
  Deno.test(`a method without authentication of a local kite refuses ${name}`, async () => {
    await using kite = targetKite({ ip: "0.0.0.0" });
    assertEquals(await call(kite, caller), "notAllowed");
  });
}

const ANSWERED: Readonly<Record<string, Caller>> = {
  "a program without an origin": {},
  "a program that sends the kite's own origin": { headers: { origin: `http://${HOST}` } },
  "a program that reaches the kite by a name": {
    headers: { origin: "http://math.local:3636" },
    host: "math.local:3636",
  },
  "a program behind a proxy that names the host": {
    headers: { origin: "http://proxy.example:3999", "x-forwarded-host": "proxy.example:3999" },
  },
  "the kite's own page": { headers: { origin: `http://${HOST}`, ...BROWSER } },
  "the kite's own page on localhost": {
    headers: { origin: "http://localhost:3636", ...BROWSER },
    host: "localhost:3636",
  },
  "the kite's own page without an origin": { headers: { "sec-fetch-site": "same-origin" } },
  "a page that has reached it over the internet": {
    headers: { origin: EVIL, ...BROWSER },
    remoteAddress: PUBLIC,
  },
};

for (const [name, caller] of Object.entries(ANSWERED)) {
  Deno.test(`a method without authentication answers ${name}`, async () => {
    await using kite = targetKite({ ip: "0.0.0.0" });
    assertEquals(await call(kite, caller), 16);
  });
}

Deno.test("a kite that listens on a public address answers pages of every origin", async () => {
  await using kite = targetKite({ ip: "203.0.113.1" });
  assertEquals(await call(kite, { headers: { origin: EVIL, ...BROWSER } }), 16);
});

Deno.test("origins: listed pages are answered, others cannot connect", async () => {
  await using kite = targetKite({ origins: ["https://app.example.com", "http://localhost:5173"] });
  assertEquals(
    await call(kite, { headers: { origin: "https://app.example.com", ...BROWSER } }),
    16,
  );
  assertEquals(await call(kite, { headers: { origin: "http://localhost:5173", ...BROWSER } }), 16);
  assertEquals(await call(kite, { headers: { origin: EVIL, ...BROWSER } }), 403);
  assertEquals(await call(kite, { headers: { origin: EVIL }, remoteAddress: PUBLIC }), 403);
  assertEquals(await call(kite, { headers: { origin: "null" } }), 403);
  assertEquals(await call(kite, {}), 16);
  assertEquals(await call(kite, { headers: { origin: `http://${HOST}`, ...BROWSER } }), 16);
});

Deno.test("origins: * answers pages of every origin", async () => {
  await using kite = targetKite({ origins: ["*"] });
  assertEquals(await call(kite, { headers: { origin: EVIL, ...BROWSER } }), 16);
  assertEquals(await call(kite, { headers: { origin: "null" } }), 16);
});

Deno.test("origins: what is not an origin is refused by name", () => {
  for (const origin of ["https://app.example.com/path", "app.example.com", "", 7]) {
    const options = { kiteKey: "", origins: [origin] as string[] };
    const error = assertThrows(() => new Kite("math", "1.0.0", options), KiteError);
    assert(error.message.startsWith("Cannot use origins"), error.message);
    assertStringIncludes(error.message, 'must be origins such as "https://app.example.com"');
  }
});

Deno.test("a method with authentication answers pages of every origin", async () => {
  await using kite = targetKite({ disableAuthentication: false });
  const error = await call(kite, { headers: { origin: EVIL, ...BROWSER } }) as { type: string };
  assertEquals(error.type, "authenticationError");
  kite.addAuthenticator("anything", () => "alice");
  kite.handle("square", ({ args }) => args.one().number() ** 2).disableAuthentication();
  assertEquals(await call(kite, { headers: { origin: EVIL, ...BROWSER } }), "notAllowed");
});
