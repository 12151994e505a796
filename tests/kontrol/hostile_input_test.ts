import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { KiteError } from "../../mod.ts";
import { signToken } from "../../src/auth/jwt.ts";
import { generateKeyPair, importPrivateKey } from "../../src/auth/keys.ts";
import { createKiteKey } from "../../src/auth/kite_key.ts";
import type { TestKontrol } from "../../src/testing/mod.ts";
import { createTestKeys } from "../../src/testing/mod.ts";
import {
  baseOf,
  connectTo,
  find,
  get,
  httpRegistration,
  identity,
  post,
  refused,
  startKontrol,
} from "./support.ts";

const KITE_URL = "http://127.0.0.1:3636/kite";

/** Tries a kite.key with every method that accepts one. */
async function isAccepted(kontrol: TestKontrol, key: string): Promise<boolean> {
  const { kite } = await connectTo(kontrol, "bystander");
  await using client = kite.newClient(kontrol.url, { authentication: { type: "kiteKey", key } });
  await client.dial();
  const calls: (() => Promise<unknown>)[] = [
    () => client.tell("register", KITE_URL),
    () => client.tell("getKites", { name: "kontrol" }),
    () => client.tell("getToken", { name: "kontrol" }),
    () => client.tell("getKey"),
  ];
  let accepted = 0;
  for (const call of calls) {
    await call().then(() => accepted++, (error) => assertEquals(error.type, "authenticationError"));
  }
  const body = { url: KITE_URL, kite: identity(), auth: { type: "kiteKey", key } };
  const { status } = await post(`${baseOf(kontrol)}/register`, body);
  if (status === 200) accepted++;
  else assertEquals(status, 401);
  assert(accepted === 0 || accepted === 5, `accepted by ${accepted} of 5 methods`);
  return accepted > 0;
}

Deno.test("hostile input: kite.keys that Kontrol did not sign are refused, whatever they contain", async () => {
  await using kontrol = await startKontrol();
  const own = (await kontrol.kontrol.keys.own()).public;
  const foreign = await generateKeyPair("EdDSA");
  const privateKey = await importPrivateKey(foreign.privateKey);
  const about = {
    username: "testuser",
    kontrolUser: "testuser",
    kontrolUrl: kontrol.url,
    privateKey,
  };
  assert(
    await isAccepted(kontrol, await kontrol.kiteKey()),
    "a valid kite.key is accepted",
  );
  const quoting = await createKiteKey({ ...about, publicKeyPem: own });
  assertEquals(await isAccepted(kontrol, quoting), false, "contains Kontrol's public key");
  const stranger = await createKiteKey({ ...about, publicKeyPem: foreign.publicKey });
  assertEquals(await isAccepted(kontrol, stranger), false, "contains its own public key");

  const [header = "", payload = "", signature = ""] = (await kontrol.kiteKey("alice")).split(".");
  const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
  const encode = (value: unknown) =>
    btoa(JSON.stringify(value)).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_");
  const forgeries = [
    `${header}.${encode({ ...claims, sub: "root" })}.${signature}`,
    `${encode({ alg: "none", typ: "JWT" })}.${payload}.`,
    `${encode({ alg: "HS256", typ: "JWT" })}.${payload}.${signature}`,
    `${header}.${payload}.`,
    `${header}.${payload}`,
    `.${payload}.${signature}`,
    "",
    "x",
    "x".repeat(10_000),
  ];
  for (const key of forgeries) {
    assertEquals(await isAccepted(kontrol, key), false, key.slice(0, 80));
  }
});

Deno.test("hostile input: a token is not accepted as a kite.key, nor a kite.key as a token", async () => {
  await using kontrol = await startKontrol();
  const { kite, client } = await connectTo(kontrol);
  const token = await client.tell<string>("getToken", { name: "kontrol" });
  assertEquals(await isAccepted(kontrol, token), false);
  const swapped = kite.newClient(kontrol.url, {
    authentication: { type: "token", key: await kontrol.kiteKey() },
  });
  await swapped.dial();
  const error = await assertRejects(() => swapped.tell("getKites", { name: "x" }), KiteError);
  assertEquals(error.type, "authenticationError");
});

Deno.test("hostile input: tokens for another kite, of another issuer, and expired ones are refused", async () => {
  await using kontrol = await startKontrol();
  const { kite } = await connectTo(kontrol);
  const privateKey = await importPrivateKey(kontrol.pair.privateKey);
  const now = Math.floor(Date.now() / 1000);
  const valid = {
    iss: "testuser",
    sub: "alice",
    aud: "/testuser/unknown/kontrol",
    iat: now,
    exp: now + 60,
  };
  const tryIt = async (claims: Record<string, unknown>): Promise<string> => {
    const key = await signToken({ ...valid, ...claims }, privateKey);
    await using client = kite.newClient(kontrol.url, { authentication: { type: "token", key } });
    await client.dial();
    return await client.tell("getKites", { name: "x" }).then(
      () => "accepted",
      (error) => error.type,
    );
  };
  const { username, environment, name } = kontrol.kontrol.kite.identity;
  const audience = { aud: `/${username}/${environment}/${name}` };
  assertEquals(await tryIt(audience), "accepted");
  for (
    const claims of [
      { ...audience, iss: "mallory" },
      { ...audience, exp: now - 1 },
      { ...audience, exp: undefined },
      { ...audience, nbf: now + 60 },
      { ...audience, sub: "" },
      { aud: "/testuser/other/math" },
      { aud: undefined },
    ]
  ) assertEquals(await tryIt(claims), "authenticationError", JSON.stringify(claims));
});

Deno.test("hostile input: a user cannot register as another user, nor take over another user's kite", async () => {
  await using kontrol = await startKontrol();
  const hers = await httpRegistration(kontrol, { username: "alice" });
  assertEquals((await post(`${baseOf(kontrol)}/register`, hers)).status, 200);
  const key = await kontrol.kiteKey("mallory");
  const stolen = { ...hers, url: "http://127.0.0.1:6/kite", auth: { type: "kiteKey", key } };
  const answer = await post(`${baseOf(kontrol)}/register`, stolen);
  assertEquals([answer.status, JSON.parse(answer.text)], [
    400,
    { err: `Cannot use id "${hers.kite.id}": it belongs to a kite of another user` },
  ]);
  const upper = { ...stolen, kite: { ...hers.kite, id: hers.kite.id.toUpperCase() } };
  assertEquals((await post(`${baseOf(kontrol)}/register`, upper)).status, 400);
  const mallory = await connectTo(kontrol, "math", {
    username: "mallory",
    kiteKey: key,
    id: hers.kite.id.toUpperCase(),
  });
  const type = await mallory.client.tell("register", KITE_URL).catch(({ type }) => type);
  assertEquals(type, "argumentError");
  mallory.client.close();
  const { client } = await connectTo(kontrol);
  const found = await find(client, { name: "math" });
  assertEquals(found.map(({ kite, url }) => [kite.username, url]), [["alice", hers.url]]);
  assertEquals((await get(`${baseOf(kontrol)}/heartbeat?id=${hers.kite.id}`)).text, "pong");
});

Deno.test("hostile input: slashes, NUL, lone surrogates and long fields are refused in every field", async () => {
  await using kontrol = await startKontrol();
  const right = await httpRegistration(kontrol);
  const { client } = await connectTo(kontrol);
  const texts = ["a/b", "/", "../..", "a\0b", "\ud800", "x".repeat(10_000)];
  for (const field of ["environment", "name", "region", "hostname", "version", "id"] as const) {
    for (const text of texts) {
      const body = { ...right, kite: { ...right.kite, [field]: text } };
      const { status } = await post(`${baseOf(kontrol)}/register`, body);
      assertEquals(status, 400, `${field} = ${JSON.stringify(text).slice(0, 20)}`);
    }
  }
  for (const field of ["username", "environment", "name", "region", "hostname"] as const) {
    for (const text of ["a/b", "x".repeat(10_000)]) {
      const query = { [field]: text };
      const type = await client.tell("getKites", { query }).catch(({ type }) => type);
      assertEquals(type, "argumentError");
      const token = await client.tell("getToken", query).catch(({ type }) => type);
      assertEquals(token, "argumentError");
    }
  }
  assertEquals(await find(client, { environment: "test" }), []);
});

Deno.test("hostile input: a kite whose fields would disguise what is printed is refused", async () => {
  await using kontrol = await startKontrol();
  const right = await httpRegistration(kontrol);
  const characters = [0x01, 0x1b, 0x7f, 0x85, 0x9b, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069];
  const fields = ["environment", "name", "region", "hostname", "version", "id"] as const;
  for (const [index, code] of characters.entries()) {
    const field = fields[index % fields.length]!;
    const text = `${right.kite[field]}${String.fromCodePoint(code)}`;
    const body = { ...right, kite: { ...right.kite, [field]: text } };
    const { status, text: answer } = await post(`${baseOf(kontrol)}/register`, body);
    const reason = `${field} must not contain control characters or change the direction of text`;
    assertEquals([status, JSON.parse(answer).err], [400, `Cannot register a kite: ${reason}`]);
  }
  const { client } = await connectTo(kontrol, "math\u202e");
  const reason = "name must not contain control characters or change the direction of text";
  const message = `Cannot register a kite: ${reason}`;
  await refused(() => client.tell("register", KITE_URL), "argumentError", message);
  assertEquals(await find(client, { username: "testuser", name: "math\u202e" }), []);
  // Text of any language is accepted.
  const named = { ...right, kite: { ...right.kite, hostname: "café-1 \u05d0\u200d\u{1f600}" } };
  assertEquals((await post(`${baseOf(kontrol)}/register`, named)).status, 200);
});

Deno.test("hostile input: huge and malformed bodies are refused", async () => {
  await using kontrol = await startKontrol();
  const register = `${baseOf(kontrol)}/register`;
  const right = await httpRegistration(kontrol);
  const huge = await post(register, { ...right, padding: "x".repeat(1_000_000) });
  assertEquals(huge, {
    status: 413,
    text: '{"err":"Cannot read the registration: must have at most 65536 bytes"}',
  });
  assert(await sendEndlessly(new URL(register)) < 32, "Kontrol stops reading in time");
  assertEquals((await post(register, "[".repeat(60_000))).status, 400);
  assertEquals((await post(register, '{"__proto__":{"url":"http://h/"}}')).status, 400);
  assertEquals((await get(register)).status, 404);
  assertEquals((await get(`${baseOf(kontrol)}/nosuch`)).status, 404);
});

Deno.test("hostile input: a flood of queries is answered or refused, and Kontrol keeps working", async () => {
  await using kontrol = await startKontrol({
    kite: { limits: { inFlightRequests: 64 } },
    policy: {
      mayCall: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return true;
      },
    },
  });
  const { client } = await connectTo(kontrol);
  const outcomes = await Promise.all(
    Array.from(
      { length: 2_000 },
      () => client.tell("getKites", { name: "kontrol" }).then(() => "answered", ({ type }) => type),
    ),
  );
  assertEquals([...new Set(outcomes)].sort(), ["answered", "requestLimitError"]);
  const { client: other } = await connectTo(kontrol);
  assertEquals((await find(other, { name: "kontrol" })).length, 1);
});

Deno.test("hostile input: heartbeats with unknown ids and forged tokens are refused", async () => {
  await using kontrol = await startKontrol();
  const foreign = await createTestKeys({ algorithm: "EdDSA" });
  const id = crypto.randomUUID();
  const forged = await foreign.token({ username: id, audience: "kontrol:heartbeat" });
  const ids = [
    id,
    "'; drop table kite;--",
    "../../etc/passwd",
    "x".repeat(5_000),
    "%00",
    "__proto__",
  ];
  for (const one of ids) {
    for (const token of ["", "x", forged]) {
      const query = new URLSearchParams({ id: one, token });
      const answer = await get(`${baseOf(kontrol)}/heartbeat?${query}`);
      assertEquals(answer, { status: 200, text: "registeragain" });
    }
  }
  await refused(
    async () => await (await connectTo(kontrol)).client.tell("registerMachine", { authType: "" }),
    "authenticationError",
    "no valid authentication key found",
  );
});

/**
 * Sends an endless body.
 *
 * @returns how many MiB were accepted, at most 64
 */
async function sendEndlessly({ hostname, port, pathname }: URL): Promise<number> {
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const chunk = new Uint8Array(1_048_576).fill(0x20);
  const encoder = new TextEncoder();
  const head =
    `POST ${pathname} HTTP/1.1\r\nhost: ${hostname}\r\ntransfer-encoding: chunked\r\n\r\n`;
  let accepted = 0;
  const answered = connection.read(new Uint8Array(4_096)).catch(() => null);
  const written = (async () => {
    const writer = connection.writable.getWriter();
    await writer.write(encoder.encode(head));
    for (; accepted < 64; accepted++) {
      await writer.write(encoder.encode("100000\r\n"));
      await writer.write(chunk);
      await writer.write(encoder.encode("\r\n"));
    }
  })().catch(() => {}); // the other side has closed
  await answered;
  const acceptedByThen = accepted;
  try {
    connection.close();
  } catch (error) {
    // A failed write has already closed it.
    assertInstanceOf(error, Deno.errors.BadResource);
  }
  await written;
  return acceptedByThen;
}
