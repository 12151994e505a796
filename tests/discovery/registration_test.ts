import { assert, assertEquals, assertRejects } from "@std/assert";
import { Kite, KiteError } from "../../mod.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { connectTo, find, refused, startKontrol } from "../kontrol/support.ts";

const URL = "http://127.0.0.1:3636/kite";

Deno.test("register: all three ways return Kontrol's answer and call onRegister", async () => {
  await using kontrol = await startKontrol();
  const { client } = await connectTo(kontrol);
  for (const way of ["register", "registerOnce", "registerHttp"] as const) {
    const kite = await kontrol.newKite(way);
    const heard: string[] = [];
    const remove = kite.onRegister((url) => heard.push(url));
    const { heartbeatToken, ...answer } = await kite[way](URL);
    assertEquals(answer, { url: URL, heartbeatInterval: 10 });
    assertEquals(typeof heartbeatToken, way === "registerHttp" ? "string" : "undefined");
    assertEquals((await find(client, { name: way })).map(({ kite }) => kite), [kite.identity]);
    remove();
    await kite[way]("http://127.0.0.1:3637/kite");
    assertEquals(heard, [URL]);
    assertEquals((await find(client, { name: way })).map(({ url }) => url), [
      "http://127.0.0.1:3637/kite",
    ]);
  }
});

Deno.test("register: a permanent refusal rejects immediately, in all three ways", async () => {
  await using kontrol = await startKontrol({ policy: { mayRegister: () => false } });
  const why = /the policy of this Kontrol does not allow it/;
  for (const way of ["register", "registerOnce", "registerHttp"] as const) {
    const kite = await kontrol.newKite("math");
    const error = await assertRejects(() => kite[way](URL), KiteError);
    assert(why.test(error.message), error.message);
  }
});

Deno.test("register: refuses a URL that cannot be dialled, without a request", async () => {
  await using kontrol = await startKontrol();
  const kite = await kontrol.newKite("math");
  for (const url of ["", "math", "ftp://h/kite", "http://", "localhost:3636/kite"]) {
    for (const way of ["register", "registerOnce", "registerHttp"] as const) {
      await assertRejects(
        async () => await kite[way](url),
        KiteError,
        `Cannot use url "${url}": must be a URL that others can dial, such as http://host:3636/kite`,
      );
    }
  }
});

Deno.test("discovery: without a configured Kontrol, every method reports it", async () => {
  await using kite = new Kite("math", "1.0.0", { kiteKey: "", kontrolUrl: [], logLevel: "FATAL" });
  const calls: (() => Promise<unknown>)[] = [
    () => kite.register(URL),
    () => kite.registerOnce(URL),
    () => kite.registerHttp(URL),
    () => kite.getKites({ name: "x" }),
    () => kite.getToken({ name: "x" }),
    () => kite.getKey(),
    () => kite.kontrolReady(),
    () => kite.tellKontrol("kite.ping"),
  ];
  for (const call of calls) {
    const error = await assertRejects(async () => await call(), KiteError);
    assertEquals([error.type, error.message.startsWith("Cannot reach Kontrol: no URL is known")], [
      "configError",
      true,
    ]);
  }
});

Deno.test("KontrolClient.ready: waits for a Kontrol that is not reachable yet, up to the timeout", async () => {
  const port = freePort();
  await using kite = new Kite("math", "1.0.0", {
    kiteKey: "",
    kontrolUrl: `http://127.0.0.1:${port}/kite`,
    logLevel: "FATAL",
    timeout: 300,
  });
  const url = `http://127.0.0.1:${port}/kite`;
  await assertRejects(
    () => kite.kontrolReady({ timeout: 200 }),
    KiteError,
    `No response to "kite.ping" method in 200ms: Not connected to ${url}: Cannot reach 127.0.0.1:`,
  );
  const late = kite.kontrolReady({ timeout: 10_000 });
  await using kontrol = await startKontrol({ kite: { port } });
  await late;
  assertEquals(await kite.tellKontrol("kite.ping"), "pong");
  assert(kontrol.url.includes(String(port)));
});

Deno.test("tellKontrol: fails immediately with the cause if Kontrol was never reachable", async () => {
  const urls = [`http://127.0.0.1:${freePort()}/kite`, `http://127.0.0.1:${freePort()}/kite`];
  await using kite = new Kite("math", "1.0.0", {
    kiteKey: "",
    kontrolUrl: urls,
    logLevel: "FATAL",
    timeout: 600_000,
  });
  const calls: [string, () => Promise<unknown>][] = [
    ["getKites", () => kite.getKites({ name: "x" })],
    ["getToken", () => kite.getToken({ name: "x" })],
    ["getKey", () => kite.getKey()],
    ["kite.ping", () => kite.tellKontrol("kite.ping")],
  ];
  for (const [method, call] of calls) {
    const error = await assertRejects(call, KiteError) as KiteError;
    assertEquals([error.type, error.method], ["disconnect", method]);
    assert(urls.some((url) => error.message.startsWith(`Not connected to ${url}: Cannot reach `)));
    assertEquals((error.cause as KiteError).type, "sendError");
  }
});

Deno.test("tellKontrol: after a connection, waits for a Kontrol that restarts", async () => {
  const port = freePort();
  const first = await startKontrol({ kite: { port } });
  await using kite = new Kite("math", "1.0.0", {
    kiteKey: "",
    kontrolUrl: first.url,
    logLevel: "FATAL",
    timeout: 30_000,
  });
  await kite.kontrolReady();
  await first[Symbol.asyncDispose]();
  await eventually(() => kite.kontrol.state === "redialling");
  const call = kite.tellKontrol("kite.ping");
  await using _second = await startKontrol({ kite: { port } });
  assertEquals(await call, "pong");
});

Deno.test("tellKontrol: has its own timeout and signal", async () => {
  await using kontrol = await startKontrol();
  kontrol.kontrol.kite.handle("slow", () => new Promise(() => {}));
  const kite = await kontrol.newKite("math");
  await kite.kontrolReady();
  const start = performance.now();
  const error = await assertRejects(
    () => kite.tellKontrolWith({ timeout: 100 }, "slow"),
    KiteError,
  );
  assertEquals(error.type, "timeout");
  assert(performance.now() - start < 1_000);
  const signal = AbortSignal.timeout(50);
  const aborted = await assertRejects(() => kite.tellKontrolWith({ signal }, "slow"), KiteError);
  assertEquals(aborted.type, "aborted");
});

Deno.test("register: waits for the first success while the storage of Kontrol fails", async () => {
  let failures = 2;
  await using kontrol = await startKontrol({
    policy: {
      mayRegister: () => {
        if (failures-- > 0) throw new KiteError("storageError", "away");
        return true;
      },
    },
  });
  const kite = await kontrol.newKite("math", "1.0.0", { logLevel: "FATAL" });
  assertEquals((await kite.register(URL)).url, URL);
  failures = 1;
  const http = await kontrol.newKite("math", "1.0.0", { logLevel: "FATAL" });
  assertEquals((await http.registerHttp(URL)).url, URL);
});

Deno.test("register: rejects when the kite closes", async () => {
  await using kite = new Kite("math", "1.0.0", {
    kiteKey: "",
    kontrolUrl: `http://127.0.0.1:${freePort()}/kite`,
    logLevel: "FATAL",
  });
  const calls = [kite.register(URL), kite.registerHttp(URL), kite.getKites({ name: "x" })];
  const outcomes = Promise.allSettled(calls);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await kite.close();
  const types = (await outcomes).map((outcome) =>
    outcome.status === "rejected" && outcome.reason instanceof KiteError && outcome.reason.type
  );
  assertEquals(types, ["aborted", "aborted", "disconnect"]);
});

Deno.test("registerHttp: sends heartbeats, and registers again when Kontrol has forgotten the kite", async () => {
  await using kontrol = await startKontrol({
    liveness: { heartbeatInterval: 1_000, heartbeatGrace: 500 },
  });
  const { client } = await connectTo(kontrol);
  const kite = await kontrol.newKite("math");
  let registrations = 0;
  kite.onRegister(() => registrations++);
  assertEquals((await kite.registerHttp(URL)).heartbeatInterval, 1);
  const end = performance.now() + 2_500;
  while (performance.now() < end) {
    assertEquals((await find(client, { name: "math" })).length, 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assertEquals(registrations, 1);
  await kite.registerOnce(URL);
  await eventually(() => registrations >= 3, { withinMs: 3_000, what: "another registration" });
  await kite.close();
  await eventually(async () => (await find(client, { name: "math" })).length === 0, {
    withinMs: 4_000,
  });
});

Deno.test("getKites and getToken: report kites that Kontrol does not have", async () => {
  await using kontrol = await startKontrol();
  const kite = await kontrol.newKite("caller");
  await refused(() => kite.getKites({ name: "nosuch" }), "genericError", "no kites availabile");
  const error = await assertRejects(() => kite.getToken({ name: "nosuch" }), KiteError);
  assertEquals([error.type, error.message], ["genericError", "no kites found"]);
  await refused(() => kite.getKites({}), "argumentError", "all query fields are empty");
  await refused(() => kite.getToken({}), "argumentError", "all query fields are empty");
});
