import { assert, assertEquals } from "@std/assert";
import { formatIdentity } from "../../src/protocol/identity.ts";

import { eventually } from "../support/eventually.ts";
import {
  baseOf,
  connectTo,
  get,
  httpRegistration,
  keepingLogger,
  post,
  refused,
  startKontrol,
} from "./support.ts";

const URL = "http://127.0.0.1:3636/kite";

Deno.test("Kontrol's log at INFO names registered and removed kites, with the reason", async () => {
  const logger = keepingLogger();
  const infos: string[] = [];
  const info: typeof logger.info = (message, details) => {
    logger.info(message, details);
    infos.push(logger.lines.at(-1)!);
  };
  await using kontrol = await startKontrol({
    kite: { logger: { ...logger, info } },
    liveness: { disconnectGrace: 0, heartbeatInterval: 200, heartbeatGrace: 0 },
  });
  const { kite, client } = await connectTo(kontrol, "math");
  await client.tell("register", URL);
  const body = await httpRegistration(kontrol);
  assertEquals((await post(`${baseOf(kontrol)}/register`, body)).status, 200);
  client.close();
  const { id } = kite;
  const silent = body.kite.id;
  await eventually(() => infos.filter((text) => text.startsWith("deregistered")).length === 2);
  const about = (one: string) => infos.filter((text) => text.includes(one));
  assertEquals(about(id), [
    `registered ${formatIdentity(kite.identity)} at ${URL}, heartbeats over connection`,
    `deregistered ${formatIdentity(kite.identity)}: its connection closed`,
  ]);
  assertEquals(about(silent), [
    `registered ${formatIdentity(body.kite)} at ${URL}, heartbeats over http`,
    `deregistered ${formatIdentity(body.kite)}: no heartbeat`,
  ]);
});

Deno.test("Kontrol's log reports refused kite.keys at a limited rate, and does not contain them", async () => {
  const logger = keepingLogger();
  const kontrol = await startKontrol({ kite: { logger } });
  const foreign = await startKontrol();
  const kiteKey = await foreign.kiteKey("mallory");
  const { client } = await connectTo(kontrol, "intruder", { username: "mallory", kiteKey });
  for (let i = 0; i < 30; i++) {
    const message = "kiteKey: no key pair found";
    await refused(() => client.tell("getKites", { name: "x" }), "authenticationError", message);
  }
  const body = { ...await httpRegistration(kontrol), auth: { type: "kiteKey", key: kiteKey } };
  assertEquals((await post(`${baseOf(kontrol)}/register`, body)).status, 401);
  const lines = () => logger.lines.filter((text) => text.startsWith("refused "));
  assertEquals(lines().length, 10);
  assert(lines()[0]!.includes("/mallory/test/intruder/"), lines()[0]);
  assert(lines()[0]!.endsWith(": no key pair found"), lines()[0]);
  const { text } = await get(`${baseOf(kontrol)}/metrics`);
  assert(text.includes("kontrol_refused_authentications_total 31"));
  await foreign[Symbol.asyncDispose]();
  await kontrol[Symbol.asyncDispose]();
  assert(logger.lines.includes("… 21 more: refused kite.keys"), logger.lines.join("\n"));
  assert(!logger.lines.join().includes(kiteKey));
});
