import { assertEquals, assertRejects } from "@std/assert";
import { generateKeyPair } from "../../src/auth/keys.ts";
import { readKiteKeyClaims } from "../../src/auth/kite_key.ts";
import { KiteError } from "../../mod.ts";
import { connectTo, find, refused, startKontrol } from "./support.ts";

const NONE = "no valid authentication key found";

Deno.test("registerMachine: without machineAuthenticate all requests are refused", async () => {
  await using kontrol = await startKontrol();
  const { kite } = await connectTo(kontrol, "kitectl", { username: "alice" });
  const client = kite.newClient(kontrol.url);
  await client.dial();
  for (const argument of [{ authType: "password" }, { AuthType: "token" }, "alice", {}, ""]) {
    await refused(() => client.tell("registerMachine", argument), "authenticationError", NONE);
  }
  await refused(() => client.tell("registerMachine"), "authenticationError", NONE);
});

Deno.test("registerMachine: machineAuthenticate may ask the client, and the kite.key is valid", async () => {
  const asked: string[] = [];
  await using kontrol = await startKontrol({
    machineAuthenticate: async ({ authType, username, request }) => {
      asked.push(`${authType} ${username} ${request.isAuthenticated}`);
      const password = await request.client.tell("kite.getPass", "Password: ");
      if (password !== "sesame") throw new Error("wrong password");
    },
  });
  let password = "sesame";
  const kite = await kontrol.newKite("kitectl", "1.0.0", { username: "alice" });
  kite.handle("kite.getPass", ({ args }) => args.one().string() === "Password: " && password);
  const client = kite.newClient(kontrol.url);
  await client.dial();
  for (const argument of [{ authType: "password" }, { AuthType: "password" }]) {
    const claims = readKiteKeyClaims(await client.tell<string>("registerMachine", argument));
    assertEquals([claims.sub, claims.iss, claims.kontrolURL], ["alice", "testuser", kontrol.url]);
  }
  const bob = await client.tell<string>("registerMachine", "bob");
  assertEquals(readKiteKeyClaims(bob).sub, "bob");
  await client.tell("registerMachine", {});
  await client.tell("registerMachine");
  assertEquals(asked, [
    "password alice false",
    "password alice false",
    " bob false",
    " alice false",
    " alice false",
  ]);

  const registered = kite.newClient(kontrol.url, { authentication: { type: "kiteKey", key: bob } });
  await registered.dial();
  await registered.tell("register", { url: "http://127.0.0.1:1/kite" });
  assertEquals((await find(registered, { username: "bob" })).length, 1);

  password = "guess";
  await refused(
    () => client.tell("registerMachine", { authType: "password" }),
    "authenticationError",
    "wrong password",
  );
});

Deno.test("registerMachine: returns the error of machineAuthenticate; invalid arguments are refused first", async () => {
  let calls = 0;
  await using kontrol = await startKontrol({
    machineAuthenticate: () => {
      calls++;
      throw new KiteError("quotaError", "quota exceeded", { code: "E42" });
    },
  });
  const { client } = await connectTo(kontrol);
  const error = await assertRejects(() => client.tell("registerMachine", "alice"), KiteError);
  assertEquals([error.type, error.message, error.code], ["quotaError", "quota exceeded", "E42"]);
  assertEquals(calls, 1);
  for (const argument of ["a/b", "/", 5, [1], "x".repeat(10_000), "eve\u202e"]) {
    const type = await client.tell("registerMachine", argument).catch(({ type }) => type);
    assertEquals(type, "argumentError", JSON.stringify(argument).slice(0, 20));
  }
  assertEquals(calls, 1, "machineAuthenticate is not called for these");
});

Deno.test("registerMachine: machineKeyPicker chooses the key pair", async () => {
  const pair = await generateKeyPair("EdDSA");
  const id = crypto.randomUUID();
  await using kontrol = await startKontrol({
    machineAuthenticate: () => {},
    machineKeyPicker: async ({ username }) => {
      const { keys } = kontrol.kontrol;
      const picked = username === "vip" ? await keys.keyPairs.byId(id) : await keys.own();
      return picked!;
    },
  });
  const { keys } = kontrol.kontrol;
  await keys.add({ id, ...pair });
  const { client } = await connectTo(kontrol);
  const keyOf = async (username: string) =>
    readKiteKeyClaims(await client.tell<string>("registerMachine", username)).kontrolKey;
  assertEquals(await keyOf("vip"), pair.publicKey.trim());
  assertEquals(await keyOf("alice"), (await keys.own()).public);
  await keys.keyPairs.softDelete(id);
  const type = await client.tell("registerMachine", "vip").catch(({ type }) => type);
  assertEquals(type, "configError", "a deleted pair does not sign");
});
