import { assert, assertEquals, assertMatch } from "@std/assert";
import { KiteError } from "../../mod.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import { createTestKeys } from "../../src/testing/mod.ts";
import { KiteLogger } from "../../src/log.ts";
import { eventually } from "../support/eventually.ts";
import { baseOf, connectTo, find, get, httpRegistration, post, startKontrol } from "./support.ts";

const URL = "http://127.0.0.1:3636/kite";

Deno.test("operations: /healthz always succeeds, /readyz only while the storage is ready", async () => {
  const storage = new MemoryStorage();
  let isUnavailable = false;
  const ready = storage.ready.bind(storage);
  storage.ready = () =>
    isUnavailable ? Promise.reject(new KiteError("storageError", "unavailable")) : ready();
  await using kontrol = await startKontrol({ storage });
  const base = baseOf(kontrol);
  assertEquals(await get(`${base}/healthz`), { status: 200, text: "ok\n" });
  assertEquals(await get(`${base}/readyz`), { status: 200, text: "ok\n" });
  isUnavailable = true;
  assertEquals(await get(`${base}/healthz`), { status: 200, text: "ok\n" });
  assertEquals(await get(`${base}/readyz`), { status: 503, text: "unavailable\n" });
  assertMatch((await get(`${base}/metrics`)).text, /kontrol_storage_errors_total 1\n/);
});

/** One sample of the text format of Prometheus. */
const SAMPLE = /^[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+-]+$/;

Deno.test("operations: /metrics is valid Prometheus text, with help, type and value of each metric", async () => {
  await using kontrol = await startKontrol();
  const { client, kite } = await connectTo(kontrol);
  await client.tell("register", URL);
  const odd = await httpRegistration(kontrol, { environment: 'a"b\\c' });
  assertEquals((await post(`${baseOf(kontrol)}/register`, odd)).status, 200);
  await post(`${baseOf(kontrol)}/register`, { ...odd, url: "" });
  await get(`${baseOf(kontrol)}/heartbeat?id=${odd.kite.id}`);
  await find(client, { name: kite.identity.name });
  await client.tell("getKites", { query: { name: "x" }, watchCallback: () => {} });

  const response = await fetch(`${baseOf(kontrol)}/metrics`);
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4");
  const text = await response.text();
  assert(text.endsWith("\n"));
  const described = new Set<string>();
  const values = new Map<string, number>();
  for (const row of text.trimEnd().split("\n")) {
    const header = /^# (HELP|TYPE) ([a-z_]+) /.exec(row);
    if (header !== null) described.add(`${header[1]} ${header[2]}`);
    else {
      assertMatch(row, SAMPLE);
      const name = row.slice(0, row.lastIndexOf(" "));
      assert(!values.has(name), `${name} occurs twice`);
      values.set(name, Number(row.slice(row.lastIndexOf(" ") + 1)));
      const family = /^[a-z_]+/.exec(name)![0].replace(/(seconds)_(bucket|sum|count)$/, "$1");
      assert(described.has(`HELP ${family}`) && described.has(`TYPE ${family}`), family);
    }
  }
  const counted = (name: string) => values.get(`kontrol_${name}`);
  assertEquals(counted("registrations_total"), 2);
  assertEquals(counted("registration_failures_total"), 1);
  assertEquals(counted("watches_total"), 1);
  assertEquals(counted("watchers"), 1);
  assertEquals(counted("kites_kept"), 2);
  assertEquals(counted('kites{environment="a\\"b\\\\c"}'), 1);
  assertEquals(counted('kites{environment="test"}'), 1);
  assert((counted("heartbeats_total") ?? 0) >= 1);
  assertEquals(counted("queries_total"), 1);
  assert((counted("tokens_signed") ?? 0) >= 1);
  let below = 0;
  for (const [name, value] of values) {
    if (!name.startsWith("kontrol_storage_seconds_bucket")) continue;
    assert(value >= below, `${name} decreases`);
    below = value;
  }
  assertEquals(counted("storage_seconds_count"), below);
});

Deno.test("operations: no log line contains a secret or a token", async () => {
  const lines: string[] = [];
  const logger = new KiteLogger("kontrol", {
    logLevel: "DEBUG",
    write: (line) => lines.push(line),
  });
  const storage = new MemoryStorage();
  await using kontrol = await startKontrol({
    storage,
    kite: { logger },
    liveness: { refreshInterval: 0 },
  });
  const secrets = [await kontrol.kiteKey(), kontrol.pair.privateKey];
  const { client, kite } = await connectTo(kontrol);
  secrets.push(kite.config.kiteKey ?? "none");
  await client.tell("register", URL);
  secrets.push(await client.tell<string>("getToken", { name: "caller" }));
  const foreign = await createTestKeys({ algorithm: "EdDSA" });
  const key = await foreign.kiteKey();
  secrets.push(key);
  const bad = kite.newClient(kontrol.url, { authentication: { type: "kiteKey", key } });
  await bad.dial();
  for (const method of ["register", "getKites", "getToken", "getKey", key]) {
    await bad.tell(method, { url: key, name: key, password: key }).catch(() => {});
  }
  const body = await httpRegistration(kontrol);
  secrets.push(body.auth.key);
  await post(`${baseOf(kontrol)}/register`, { ...body, heartbeatToken: true }).then(({ text }) =>
    secrets.push(JSON.parse(text).heartbeatToken)
  );
  await get(`${baseOf(kontrol)}/heartbeat?id=${body.kite.id}&token=${key}`);
  storage.refresh = () => Promise.reject(new KiteError("storageError", `unavailable ${key}`));
  storage.get = () => Promise.reject(new Error(`lost ${key}`));
  await client.tell("getKites", { name: "x" }).catch(() => {});
  kite.handle("kite.heartbeat", () => {
    throw new Error(key);
  });
  await client.tell("register", URL);
  await get(`${baseOf(kontrol)}/heartbeat?id=${body.kite.id}&token=${secrets.at(-1)}`);
  await eventually(() => lines.some((line) => line.includes("Cannot refresh kites")));
  await eventually(() => lines.some((line) => line.includes("did not confirm heartbeats")));
  const log = lines.join("\n");
  for (const secret of secrets) {
    for (const part of [secret, ...secret.split(".").filter((text) => text.length > 40)]) {
      assert(!log.includes(part.trim()), `a secret in: ${log}`);
    }
  }
});
