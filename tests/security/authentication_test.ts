import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Client } from "../../src/client.ts";
import type { Kite } from "../../src/kite.ts";
import type { KiteOptions } from "../../src/kite_options.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import type { Authentication } from "../../src/rpc/codec.ts";
import { createTestKeys, type TestKeys } from "../../src/testing/keys.ts";
import { eventually } from "../support/eventually.ts";
import { callingKite, targetKite } from "./kites.ts";
import { Wire } from "./wire.ts";

const [KEYS, FOREIGN] = await Promise.all([createTestKeys(), createTestKeys()]);

/** A kite that trusts the test's Kontrol, and says who calls. */
function guardedKite(options: KiteOptions = {}): Kite {
  const kite = targetKite({
    disableAuthentication: false,
    username: "owner",
    environment: "test",
    kontrolKey: KEYS.pair.publicKey,
    kontrolUser: KEYS.kontrolUser,
    ...options,
  });
  kite.handle("who", ({ username, isAuthenticated }) => [username, isAuthenticated]);
  return kite;
}

/**
 * What a caller with some authentication gets from a kite's `who`, or why it gets nothing: the same
 * with plain messages and with compact ones.
 */
async function asks(
  kite: Kite,
  authentication?: Authentication,
  method = "who",
): Promise<unknown> {
  await using server = await kite.listen();
  const outcomes: unknown[] = [];
  for (const compact of [false, true]) {
    const options = { compact, ...(authentication === undefined ? {} : { authentication }) };
    await using client = callingKite({ username: "claimed" }).newClient(server.url, options);
    await client.dial();
    // The first call is plain, whatever follows.
    if (compact) await client.tell("kite.ping");
    const call = client.tell(method);
    outcomes.push(await call.catch((error: KiteError) => `${error.type}: ${error.message}`));
  }
  assertEquals(outcomes[1], outcomes[0]);
  return outcomes[0];
}

function token(key: string): Authentication {
  return { type: "token", key };
}

async function kiteKey(keys: TestKeys, username: string): Promise<Authentication> {
  return { type: "kiteKey", key: await keys.kiteKey(username) };
}

Deno.test("a token gives its user's name, whatever the caller claims", async () => {
  const key = await KEYS.token({ username: "alice" });
  assertEquals(await asks(guardedKite(), token(key)), ["alice", true]);
});

Deno.test("a token is good for the kites of its audience", async () => {
  const here = await KEYS.token({ username: "alice", audience: "/owner/test/target" });
  assertEquals(await asks(guardedKite(), token(here)), ["alice", true]);
  const elsewhere = await KEYS.token({ username: "alice", audience: "/owner/test/other" });
  const refused = await asks(guardedKite(), token(elsewhere)) as string;
  assert(refused.startsWith("authenticationError: token: "), refused);
  const audience = () => true;
  assertEquals(await asks(guardedKite({ audience }), token(elsewhere)), ["alice", true]);
});

Deno.test("bad tokens are refused, each with a reason, and the reason holds no token", async () => {
  const bad = [
    "",
    "a.b.c",
    await FOREIGN.token({ username: "alice" }),
    await KEYS.token({ username: "" }),
    await KEYS.token({ claims: { iss: "mallory" } }),
    await KEYS.token({ claims: { exp: undefined } }),
  ];
  for (const key of bad) {
    const refused = await asks(guardedKite(), token(key)) as string;
    assert(/^authenticationError: token: .{5}/.test(refused), refused);
    assert(key === "" || !refused.includes(key));
  }
});

Deno.test("without authentication, or with one of an unknown type, a call is refused", async () => {
  assertEquals(
    await asks(guardedKite()),
    "authenticationError: No authentication information is provided",
  );
  assertEquals(
    await asks(guardedKite(), { type: "", key: "x" }),
    "authenticationError: No authentication information is provided",
  );
  assertEquals(
    await asks(guardedKite(), { type: "password", key: "x" }),
    "authenticationError: Unknown authentication type: password",
  );
  assertEquals(
    await asks(guardedKite(), undefined, "nosuch"),
    "methodNotFound: Method not found: nosuch",
  );
});

Deno.test("an expired token is told to the client, which may go on with a new one", async () => {
  await using server = await guardedKite().listen();
  const authentication = token(await KEYS.token({ ttl: -5_000 }));
  const fresh = token(await KEYS.token({ username: "bob" }));
  await using client = callingKite().newClient(server.url, { authentication });
  await client.dial();
  client.onTokenExpire(() => client.authentication = fresh);
  await assertRejects(() => client.tell("who"), KiteError, "token is expired");
  assertEquals(await client.tell("who"), ["bob", true]);
});

Deno.test("a kite.key gives its user's name where its Kontrol is trusted", async () => {
  assertEquals(await asks(guardedKite(), await kiteKey(KEYS, "carol")), ["carol", true]);
  const foreign = await kiteKey(FOREIGN, "carol");
  assertEquals(
    await asks(guardedKite(), foreign),
    "authenticationError: kiteKey: kontrol key is not trusted",
  );
  const asked: string[] = [];
  const verify = (pem: string) => {
    asked.push(pem.trim());
    return pem.trim() === FOREIGN.pair.publicKey.trim();
  };
  assertEquals(await asks(guardedKite({ verify }), foreign), ["carol", true]);
  assertEquals(asked, [FOREIGN.pair.publicKey.trim()]);
});

Deno.test("an authenticator of the owner's own decides for its type", async () => {
  const kite = guardedKite();
  const seen: string[] = [];
  kite.addAuthenticator("password", async ({ key }, { method }) => {
    seen.push(method);
    await Promise.resolve();
    if (key === "empty") return "";
    if (key !== "sesame") throw new Error("the password is wrong");
    return "ali";
  });
  assertEquals(await asks(kite, { type: "password", key: "sesame" }), ["ali", true]);
  assertEquals(
    await asks(kite, { type: "password", key: "x" }),
    "authenticationError: password: the password is wrong",
  );
  assertEquals(
    await asks(kite, { type: "password", key: "empty" }),
    "authenticationError: password: the authenticator returned no username",
  );
  assertEquals(seen, new Array(6).fill("who"));
  kite.addAuthenticator("token", () => "anyone");
  assertEquals(await asks(kite, token("x")), ["anyone", true]);
  assertEquals(kite.removeAuthenticator("token"), true);
  assertEquals(kite.removeAuthenticator("token"), false);
  assertEquals(
    await asks(kite, token(await KEYS.token())),
    "authenticationError: Unknown authentication type: token",
  );
});

Deno.test("authentication is switched off for a method, or for a kite", async () => {
  const kite = guardedKite();
  kite.handle("open", ({ username, isAuthenticated }) => [username, isAuthenticated])
    .disableAuthentication();
  assertEquals(await asks(kite, undefined, "open"), ["claimed", false]);
  assertEquals(await asks(kite, token("nonsense"), "open"), ["claimed", false]);
  assertEquals(await asks(kite, undefined, "kite.ping"), "pong");
  kite.disableAuthentication();
  assertEquals(await asks(kite), ["claimed", false]);
  assertEquals(await asks(guardedKite({ disableAuthentication: true })), ["claimed", false]);
});

Deno.test("one connection may speak for several users, call by call", async () => {
  await using server = await guardedKite().listen();
  await using client = callingKite().newClient(server.url);
  await client.dial();
  for (const username of ["alice", "bob", "alice"]) {
    client.authentication = token(await KEYS.token({ username }));
    assertEquals(await client.tell("who"), [username, true]);
    client.authentication = undefined;
    await assertRejects(() => client.tell("who"), KiteError, "No authentication");
  }
});

Deno.test("an authentication in an earlier message does not confirm the username of a later one", async () => {
  await using server = await guardedKite().listen();
  await using wire = await Wire.open(server.url, true);
  const key = await KEYS.token({ username: "alice" });
  const call = (id: number, authentication: unknown) => {
    const request = { kite: { username: "root" }, authentication, withArgs: [] };
    const callbacks = { [id]: [0, "responseCallback"] };
    wire.send(JSON.stringify({ method: "who", arguments: [request], callbacks }));
    return wire.answer(id);
  };
  assertEquals((await call(1, { type: "token", key })).arguments[0].result, ["alice", true]);
  for (const none of [null, {}, [], "token", { type: "", key }, { type: "token" }, { key }]) {
    wire.messages.length = 0;
    const { arguments: [{ error }] } = await call(2, none);
    assertEquals(error.type, "authenticationError", JSON.stringify(none));
  }
});

/** A kite that calls `who` of whoever dials it. */
async function calledBack(client: Client, kite: Kite): Promise<unknown> {
  await client.dial();
  await eventually(() => kite.connections.size === 1);
  const [connection] = kite.connections;
  return await connection!.tell("who").catch((error: KiteError) =>
    `${error.type}: ${error.message}`
  );
}

Deno.test("the dialled kite may call back; authenticateRemote requires its authentication", async () => {
  for (const authenticateRemote of [false, true]) {
    const kite = guardedKite();
    await using server = await kite.listen();
    await using caller = guardedKite({ username: "caller" });
    await using client = caller.newClient(server.url, { authenticateRemote });
    const expected = authenticateRemote
      ? "authenticationError: No authentication information is provided"
      : ["owner", false];
    assertEquals(await calledBack(client, kite), expected);
  }
});

Deno.test("credentials are never shown to a kite that dialled us", async () => {
  const kite = guardedKite();
  kite.handle("back", ({ client }) => client.tell("show")).disableAuthentication();
  await using server = await kite.listen();
  await using caller = callingKite();
  const seen: (Authentication | undefined)[] = [];
  caller.handle("show", ({ authentication }) => void seen.push(authentication));
  await using client = caller.newClient(server.url, { authentication: token("mine") });
  await client.dial();
  await client.tell("back");
  assertEquals(seen, [undefined]);
});
