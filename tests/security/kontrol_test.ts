import { assert, assertEquals, assertRejects } from "@std/assert";
import { Kite, KiteError } from "../../mod.ts";
import { readTokenClaims } from "../../src/auth/jwt.ts";
import type { TestKontrol } from "../../src/testing/mod.ts";
import type { Policy } from "../../kontrol/mod.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import { SqliteStorage } from "../../kontrol/storage/sqlite.ts";
import {
  baseOf,
  connectTo,
  find,
  type Found,
  get,
  httpRegistration,
  identity,
  post,
  refused,
  startKontrol,
} from "../kontrol/support.ts";
import { eventually } from "../support/eventually.ts";

const URL = "http://127.0.0.1:3636/kite";

Deno.test("register: publishes the parsed URL, and refuses what the parser drops", async () => {
  await using kontrol = await startKontrol();
  const { kite, client } = await connectTo(kontrol);
  const refusals: [string, string][] = [
    ["http://u:p@h/kite", "must not contain a username or password"],
    ["http://u@h/kite", "must not contain a username or password"],
    ["http://h/\r\nX: y\u001b[31m", "must not contain white space or control characters"],
    ["  ht\ntp://h/kite\t", "must not contain white space or control characters"],
    ["http://h/a b", "must not contain white space or control characters"],
    ["http://h/\u0000", "must not contain white space or control characters"],
    ["http://h/\u2028", "must not contain white space or control characters"],
    ["http://h/\u202egpj", "must not contain white space or control characters"],
    ["http://h/\ud800", "must not contain white space or control characters"],
    ["javascript:alert(1)", "must begin with http://, https://, ws:// or wss://"],
    ["//h/kite", "must begin with http://, https://, ws:// or wss://"],
    [`http://h/${"ü".repeat(1_000)}`, "must have at most 2048 characters"],
  ];
  for (const [url, reason] of refusals) {
    const message = `Cannot register the URL: ${reason}`;
    await refused(() => client.tell("register", { url }), "argumentError", message);
    const body = { ...await httpRegistration(kontrol), url };
    const answer = await post(`${baseOf(kontrol)}/register`, body);
    assertEquals([answer.status, JSON.parse(answer.text)], [400, { err: message }]);
  }
  assertEquals(await find(client, { environment: "test" }), []);
  const accepted = [
    ["HTTP://Host:80/a/../kite", "http://host/kite"],
    ["ws://[::1]:3636/kite", "ws://[::1]:3636/kite"],
    ['http://h/"<kite>', "http://h/%22%3Ckite%3E"],
  ];
  for (const [url, normalized] of accepted) {
    assertEquals((await client.tell<{ url: string }>("register", { url })).url, normalized);
    assertEquals((await find(client, { id: kite.id }))[0]?.url, normalized);
  }
});

Deno.test("heartbeat token: authenticates no user, whatever the audience check of a kite", async () => {
  await using kontrol = await startKontrol();
  const victim = crypto.randomUUID();
  const body = { ...await httpRegistration(kontrol, { id: victim }), heartbeatToken: true };
  const answer = await post(`${baseOf(kontrol)}/register`, body);
  const { heartbeatToken } = JSON.parse(answer.text) as { heartbeatToken: string };
  const claims = readTokenClaims(heartbeatToken);
  assertEquals([claims.iss, claims.sub], [undefined, undefined]);
  const rules = [undefined, () => true, (_own: unknown, audience: string) => audience[0] !== "/"];
  for (const audience of rules) {
    const vault = await kontrol.newKite("vault", "1.0.0", {
      ...(audience && { audience }),
      allowTokensWithoutExpiry: true,
    });
    vault.handle("who", ({ username }) => username);
    const { url } = await vault.listen();
    const authentication = { type: "token", key: heartbeatToken };
    await using client = new Kite("thief", "1.0.0", { kiteKey: "" }).newClient(url, {
      authentication,
    });
    await client.dial();
    const error = await assertRejects(() => client.tell("who"), KiteError);
    assertEquals(error.type, "authenticationError");
  }
  const heartbeat = (id: string, token: string) =>
    get(`${baseOf(kontrol)}/heartbeat?${new URLSearchParams({ id, token })}`);
  assertEquals((await heartbeat(victim, heartbeatToken)).text, "pong");
  assertEquals((await heartbeat(victim.toUpperCase(), heartbeatToken)).text, "pong");
  assertEquals((await heartbeat(crypto.randomUUID(), heartbeatToken)).text, "registeragain");
  // The other way round: a token of a user who is named like the kite is no heartbeat token.
  const { client } = await connectTo(kontrol, "caller", { username: victim });
  const token = await client.tell<string>("getToken", { name: "kontrol" });
  assertEquals((await heartbeat(victim, token)).text, "registeragain");
});

/** A line to Kontrol that shows a token instead of a kite.key. */
async function tokenLine(kontrol: TestKontrol, key: string) {
  const kite = new Kite("thief", "1.0.0", { kiteKey: "", logLevel: "FATAL" });
  const client = kite.newClient(kontrol.url, { authentication: { type: "token", key } });
  await client.dial();
  return client;
}

Deno.test("getToken: a token requested with a token does not outlive it", async () => {
  await using kontrol = await startKontrol({
    username: "kontrol",
    tokens: { timeToLive: 3_000, leeway: 0 },
  });
  await post(`${baseOf(kontrol)}/register`, await httpRegistration(kontrol, { username: "bob" }));
  const { client } = await connectTo(kontrol, "app", { username: "alice" });
  const stolen = await client.tell<string>("getToken", { name: "kontrol" });
  const { exp = 0 } = readTokenClaims(stolen);
  // So that a token of full length would end later.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  await using thief = await tokenLine(kontrol, stolen);
  const tokens: string[] = [];
  for (const force of [false, true]) {
    for (const name of ["kontrol", "math"]) {
      tokens.push(await thief.tell<string>("getToken", { name, force }));
    }
  }
  const argument = { query: { name: "math" }, watchCallback: () => {} };
  for (const asked of [{ query: { name: "math" } }, { query: { name: "kontrol" } }, argument]) {
    const { kites } = await thief.tell<{ kites: Found[] }>("getKites", asked);
    tokens.push(...kites.map(({ token }) => token));
  }
  assertEquals(tokens.length, 7);
  for (const token of tokens) assertEquals(readTokenClaims(token).exp, exp);
  // The last of a chain of such tokens ends with the first.
  await using second = await tokenLine(kontrol, tokens[0]!);
  const last = await second.tell<string>("getToken", { name: "kontrol", force: true });
  assertEquals(readTokenClaims(last).exp, exp);
  await eventually(() => Date.now() >= exp * 1_000, { what: "the end of the token" });
  await using late = await tokenLine(kontrol, last);
  const error = await assertRejects(() => late.tell("getToken", { name: "math" }), KiteError);
  assertEquals(error.type, "authenticationError");
  assert((readTokenClaims(await client.tell<string>("getToken", { name: "math" })).exp ?? 0) > exp);
});

Deno.test("register: the id of a disconnected kite stays reserved for its user, at every Kontrol", async () => {
  const folder = await Deno.makeTempDir();
  const options = () => ({
    storage: new SqliteStorage({ path: `${folder}/kontrol.db`, pollInterval: 20 }),
    liveness: { disconnectGrace: 0, idReservation: 2_500 },
  });
  try {
    await using one = await startKontrol(options());
    await using two = await startKontrol({ ...options(), pair: one.pair });
    const alice = await connectTo(one, "bank", { username: "alice" });
    const { id } = alice.kite;
    await alice.client.tell("register", URL);
    const watcher = await connectTo(two);
    const isListed = async () => (await find(watcher.client, { name: "bank" })).length > 0;
    // The other Kontrol reserves the ids that its polls have seen.
    const polled = () => new Promise((resolve) => setTimeout(resolve, 200));
    await polled();
    alice.client.close();
    await eventually(async () => !await isListed(), { what: "the kite's removal" });
    await polled();
    const taken = `Cannot use id "${id}": it belongs to a kite of another user`;
    for (const kontrol of [one, two]) {
      for (const stolen of [id, id.toUpperCase()]) {
        const mallory = await connectTo(kontrol, "bank", { username: "mallory", id: stolen });
        const error = await assertRejects(() => mallory.client.tell("register", URL), KiteError);
        assertEquals([error.type, error.message], ["argumentError", taken]);
        const body = await httpRegistration(kontrol, { username: "mallory", id: stolen });
        assertEquals((await post(`${baseOf(kontrol)}/register`, body)).status, 400);
        mallory.client.close();
      }
    }
    const again = await connectTo(two, "bank", { username: "alice", id: id.toUpperCase() });
    await again.client.tell("register", URL);
    assert(await isListed(), "its own user may take it up again, anywhere");
    again.client.close();
    const mallory = await connectTo(one, "bank", { username: "mallory", id });
    await eventually(() => mallory.client.tell("register", URL), { what: "the end of the hold" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const OWNERS: Policy = { mayCall: ({ username }, kite) => username === kite.username };

for (const [name, policy] of [["strict", "strict"], ["of the owner's own", OWNERS]] as const) {
  Deno.test(`getKites: kites of other users do not displace one's own (policy ${name})`, async () => {
    for (const storage of [new MemoryStorage(), new SqliteStorage({ path: ":memory:" })]) {
      await using kontrol = await startKontrol({ storage, policy, maxResults: 10 });
      const keyId = (await kontrol.kontrol.keys.own()).id;
      for (let i = 0; i < 300; i++) {
        await storage.upsert({ kite: identity({ username: "aaa" }), url: URL, keyId });
      }
      const mine = identity({ username: "alice" });
      await storage.upsert({ kite: mine, url: URL, keyId });
      const { client } = await connectTo(kontrol, "caller", { username: "alice" });
      const ids = async (query: Parameters<typeof find>[1]) =>
        (await find(client, query)).map(({ kite }) => kite.id);
      assertEquals(await ids({ name: "math" }), [mine.id]);
      assertEquals(await ids({ name: "math", username: "alice" }), [mine.id]);
      assertEquals(await ids({ name: "math", username: "aaa" }), []);
      const token = await client.tell<string>("getToken", { name: "math" });
      assertEquals(readTokenClaims(token).aud, "/alice/test/math");
      const { kites } = await client.tell<{ kites: Found[] }>("getKites", {
        query: { name: "math" },
        watchCallback: () => {},
      });
      assertEquals(kites.map(({ kite }) => kite.id), [mine.id]);
      await storage.upsert({ kite: identity({ username: "alice" }), url: URL, keyId });
      const message = "query matches more than one kite";
      await refused(() => client.tell("getToken", { name: "math" }), "genericError", message);
    }
  });
}
