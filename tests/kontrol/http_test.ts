import { assert, assertEquals } from "@std/assert";
import { generateKeyPair } from "../../src/auth/keys.ts";
import { readKiteKeyClaims } from "../../src/auth/kite_key.ts";
import { createTestKeys } from "../../src/testing/mod.ts";
import { SqliteStorage } from "../../kontrol/storage/sqlite.ts";
import { eventually } from "../support/eventually.ts";
import {
  baseOf,
  connectTo,
  find,
  get,
  httpRegistration,
  post,
  startKontrol,
  TemporaryFolder,
} from "./support.ts";

const SHORT = { heartbeatInterval: 1_000, heartbeatGrace: 200, disconnectGrace: 0 };

Deno.test("POST /register: accepts the request of a Go kite, whose heartbeats need only the id", async () => {
  await using kontrol = await startKontrol();
  const body = await httpRegistration(kontrol);
  const answer = await post(`${baseOf(kontrol)}/register`, body);
  assertEquals(answer, {
    status: 200,
    text: '{"url":"http://127.0.0.1:3636/kite","heartbeatInterval":10}',
  });
  const { client } = await connectTo(kontrol);
  assertEquals((await find(client, { name: "math" })).map(({ kite }) => kite), [body.kite]);
  const heartbeat = `${baseOf(kontrol)}/heartbeat?id=${body.kite.id}`;
  assertEquals(await get(heartbeat), { status: 200, text: "pong" });
});

Deno.test("POST /register: answers each error with its status and reason", async () => {
  await using kontrol = await startKontrol();
  const right = await httpRegistration(kontrol);
  const foreign = await createTestKeys({ algorithm: "EdDSA" });
  const quoted = await foreign.kiteKey();
  const cases: readonly [unknown, number, string][] = [
    ["{bad", 400, "wrong register input: it must be a JSON object"],
    ["[]", 400, "wrong register input: it must be a JSON object"],
    ["null", 400, "wrong register input: it must be a JSON object"],
    ["", 400, "wrong register input: it must be a JSON object"],
    [{ ...right, auth: undefined }, 400, "unexpected authentication type: none"],
    [{ ...right, auth: null }, 400, "unexpected authentication type: none"],
    [{ ...right, auth: "kiteKey" }, 400, "unexpected authentication type: none"],
    [
      { ...right, auth: { ...right.auth, type: "token" } },
      400,
      "unexpected authentication type: token",
    ],
    [{ ...right, auth: { type: "kiteKey", key: quoted } }, 401, "no key pair found"],
    [{ ...right, url: "" }, 400, "empty URL"],
    [{ ...right, url: undefined }, 400, "empty URL"],
    [{ ...right, url: 5 }, 400, "empty URL"],
    [
      { ...right, url: "gopher://h/kite" },
      400,
      "Cannot register the URL: must begin with http://, https://, ws:// or wss://",
    ],
  ];
  for (const [body, status, err] of cases) {
    const answer = await post(`${baseOf(kontrol)}/register`, body);
    assertEquals([answer.status, JSON.parse(answer.text)], [status, { err }]);
  }
  for (const key of ["", "x", "a.b.c", "%%%", `${right.auth.key}x`]) {
    const auth = { type: "kiteKey", key };
    const { status } = await post(`${baseOf(kontrol)}/register`, { ...right, auth });
    assertEquals(status, 401, key);
  }
  const { client } = await connectTo(kontrol);
  assertEquals(await find(client, { name: "math" }), []);
});

Deno.test("POST /register: checks every field of the kite", async () => {
  await using kontrol = await startKontrol();
  const right = await httpRegistration(kontrol);
  const register = async (fields: Record<string, unknown>) => {
    const body = { ...right, kite: { ...right.kite, ...fields } };
    const { status, text } = await post(`${baseOf(kontrol)}/register`, body);
    return [status, JSON.parse(text).err];
  };
  for (const field of ["environment", "name", "version", "region", "hostname", "id"]) {
    const empty = [400, `Empty Kite field: ${field}`];
    assertEquals(await register({ [field]: "" }), empty);
    assertEquals(await register({ [field]: undefined }), empty);
    assertEquals(await register({ [field]: 7 }), empty);
  }
  for (const field of ["environment", "name", "region", "hostname"]) {
    const [status, err] = await register({ [field]: "a/b" });
    assertEquals([status, String(err).startsWith(`Cannot use ${field} "a/b"`)], [400, true]);
  }
  for (const fields of [{ version: "1.0" }, { version: ">= 1.0.0" }, { id: "no-uuid" }]) {
    assertEquals((await register(fields))[0], 400, JSON.stringify(fields));
  }
  assertEquals((await post(`${baseOf(kontrol)}/register`, { ...right, kite: null })).status, 400);
  assertEquals(await register({ username: "somebody" }), [200, undefined]);
  const { client } = await connectTo(kontrol);
  assertEquals(
    await find(client, { username: "somebody" }),
    [],
    "the username is that of the kite.key",
  );
});

Deno.test("POST /register: a caller with a deleted key pair gets a kite.key and handover, without publicKey", async () => {
  await using kontrol = await startKontrol();
  const { keys } = kontrol.kontrol;
  const old = await keys.add(await generateKeyPair("EdDSA"));
  const key = await keys.signKiteKey("testuser", old);
  await keys.keyPairs.softDelete(old.id);
  const body = await httpRegistration(kontrol);
  const { text } = await post(`${baseOf(kontrol)}/register`, {
    ...body,
    auth: { type: "kiteKey", key },
  });
  const answer = JSON.parse(text);
  assertEquals(Object.keys(answer), ["url", "heartbeatInterval", "kiteKey", "keyHandover"]);
  assertEquals(readKiteKeyClaims(answer.kiteKey).kontrolKey, (await keys.own()).public);
});

Deno.test("GET /heartbeat: a kite that is not registered over HTTP must register again", async () => {
  await using kontrol = await startKontrol({ liveness: SHORT });
  const base = baseOf(kontrol);
  assertEquals((await get(`${base}/heartbeat`)).status, 400);
  assertEquals((await get(`${base}/heartbeat?id=`)).status, 400);
  const again = { status: 200, text: "registeragain" };
  assertEquals(await get(`${base}/heartbeat?id=nosuch`), again);
  assertEquals(await get(`${base}/heartbeat?id=${crypto.randomUUID()}`), again);

  const { kite, client } = await connectTo(kontrol);
  await client.tell("register", "http://127.0.0.1:1/kite");
  assertEquals(
    await get(`${base}/heartbeat?id=${kite.id}`),
    again,
    "it registered over a WebSocket",
  );

  const body = await httpRegistration(kontrol);
  await post(`${base}/register`, body);
  const heartbeat = `${base}/heartbeat?id=${body.kite.id}`;
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    assertEquals((await get(heartbeat)).text, "pong");
  }
  assertEquals(
    (await find(client, { name: "math" })).length,
    1,
    "its heartbeats keep it registered",
  );
  await eventually(async () => (await find(client, { name: "math" })).length === 0, {
    withinMs: 3_000,
  });
  assertEquals(await get(heartbeat), again, "it was removed");
});

Deno.test("GET /heartbeat: only the holder of its token can keep a kite registered", async () => {
  await using kontrol = await startKontrol({ liveness: SHORT });
  const base = baseOf(kontrol);
  const { client } = await connectTo(kontrol);
  const body = { ...await httpRegistration(kontrol), heartbeatToken: true };
  const { heartbeatToken: token } = JSON.parse((await post(`${base}/register`, body)).text);
  const other = { ...await httpRegistration(kontrol), heartbeatToken: true };
  const { heartbeatToken: othersToken } = JSON.parse((await post(`${base}/register`, other)).text);
  const { id } = body.kite;
  const heartbeat = async (query: string) => (await get(`${base}/heartbeat?${query}`)).text;

  assertEquals(await heartbeat(`id=${id}&token=${token}`), "pong");
  assertEquals(await heartbeat(`id=${id}`), "registeragain");
  assertEquals(await heartbeat(`id=${id}&token=`), "registeragain");
  assertEquals(await heartbeat(`id=${id}&token=${othersToken}`), "registeragain");
  assertEquals(await heartbeat(`id=${id}&token=${await kontrol.kiteKey()}`), "registeragain");
  const callToken = await client.tell("getToken", { id });
  assertEquals(await heartbeat(`id=${id}&token=${callToken}`), "registeragain");
  assertEquals(await heartbeat(`id=${crypto.randomUUID()}&token=${token}`), "registeragain");
  let isListed = true;
  await eventually(async () => {
    assertEquals(await heartbeat(`id=${id}`), "registeragain");
    isListed = (await find(client, { id })).length > 0;
    return !isListed;
  }, { withinMs: 3_000 });
  assert(!isListed);
  assertEquals(await heartbeat(`id=${id}&token=${token}`), "registeragain", "it was removed");
});

Deno.test("GET /heartbeat: another Kontrol with the same storage accepts the token", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/kontrol.db`;
  const first = await startKontrol({ storage: new SqliteStorage({ path }), liveness: SHORT });
  const { pair } = first;
  await using second = await startKontrol({
    storage: new SqliteStorage({ path }),
    liveness: SHORT,
    pair,
  });
  const body = { ...await httpRegistration(first), heartbeatToken: true };
  const answer = JSON.parse((await post(`${baseOf(first)}/register`, body)).text);
  const { id } = body.kite;
  const bare = `${baseOf(second)}/heartbeat?id=${id}`;
  assertEquals((await get(bare)).text, "registeragain", "the id alone is not accepted there");
  await first[Symbol.asyncDispose]();
  assertEquals((await get(`${bare}&token=${answer.heartbeatToken}`)).text, "pong");
  assertEquals(
    (await get(bare)).text,
    "registeragain",
    "the second Kontrol requires the token, too",
  );
  const { client } = await connectTo(second);
  assertEquals((await find(client, { id })).length, 1);
  await eventually(async () => (await find(client, { id })).length === 0, { withinMs: 3_000 });
});
