import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { readTokenClaims } from "../../src/auth/jwt.ts";
import type { Client } from "../../src/client.ts";
import { TokenRenewer } from "../../src/discovery/token_renewer.ts";
import { Kite } from "../../src/kite.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import {
  createTestKeys,
  FakeClock,
  memorySessions,
  type TestKontrol,
} from "../../src/testing/mod.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { keepingLogger } from "../security/kites.ts";
import { startKontrol } from "../kontrol/support.ts";

async function startMath(kontrol: TestKontrol, port: number, name = "math"): Promise<Kite> {
  const math = await kontrol.newKite(name, "1.0.0", { port });
  math.handle("square", ({ args }) => args.one().number() ** 2);
  await math.register((await math.listen()).url);
  return math;
}

function endOf(client: Client): number {
  return (readTokenClaims(client.authentication!.key).exp ?? 0) * 1000;
}

Deno.test("TokenRenewer: renews tokens for a kite that restarts with a new id", async () => {
  await using kontrol = await startKontrol({ tokens: { timeToLive: 1_000, leeway: 2_000 } });
  const port = freePort();
  const first = await startMath(kontrol, port);
  // Another kite of that name elsewhere must not be taken for it, nor end the search.
  await startMath(kontrol, freePort());
  const exp2 = await kontrol.newKite("exp2");
  const [client] = await exp2.getKites({ id: first.id });
  await client!.dialForever();
  await first.close();
  await startMath(kontrol, port);
  const before = client!.authentication!.key;
  // Long after the end of every token that was signed before the restart.
  const end = endOf(client!) + 3_000;
  while (Date.now() < end) {
    assertEquals(await client!.tell("square", 3), 9);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assertNotEquals(client!.authentication!.key, before);
  client!.close();
});

Deno.test("TokenRenewer: a call after a reconnection has a valid token", async () => {
  await using kontrol = await startKontrol({ tokens: { timeToLive: 1_000, leeway: 1_000 } });
  const port = freePort();
  const first = await startMath(kontrol, port);
  const exp2 = await kontrol.newKite("exp2");
  const [client] = await exp2.getKites({ name: "math" });
  await client!.dialForever();
  await first.close();
  await eventually(() => client!.state !== "open", { what: "the end of the connection" });
  const call = client!.tellWith<number>({ timeout: 60_000 }, "square", 3);
  await eventually(() => endOf(client!) < Date.now(), { what: "the end of the token" });
  await startMath(kontrol, port);
  assertEquals(await call, 9);
  client!.close();
});

/** A client whose token is renewed by hand, and what becomes of that. */
interface Renewals {
  readonly clock: FakeClock;
  readonly client: Client;
  readonly renewer: TokenRenewer;
  readonly count: () => number;
  readonly reports: readonly string[];
}

/**
 * Calls every 100 ms for a number of seconds.
 *
 * @returns The outcomes of the calls, each once.
 */
async function callForSeconds(
  { client, renewer, clock }: Renewals,
  seconds: number,
): Promise<unknown[]> {
  const outcomes = new Set<unknown>();
  for (const end = clock.now + seconds * 1_000; clock.now < end; await clock.tick(100)) {
    await renewer.due();
    outcomes.add(await client.tell("square", 3).catch((error: KiteError) => error.type));
  }
  return [...outcomes];
}

async function startRenewals(
  stack: AsyncDisposableStack,
  { expiresIn, takesTokens }: { expiresIn: number; takesTokens: boolean },
): Promise<Renewals> {
  const clock = stack.use(new FakeClock());
  const other = await createTestKeys({ algorithm: "EdDSA", kontrolUser: "k" });
  const options = { kiteKey: "", logger: keepingLogger() };
  const trusted = { kontrolUser: "k", kontrolKey: other.pair.publicKey };
  const target = stack.use(new Kite("target", "1.0.0", { ...options, ...trusted }));
  const method = target.handle("square", ({ args }) => args.one().number() ** 2);
  if (takesTokens) method.disableAuthentication();
  const caller = stack.use(new Kite("caller", "1.0.0", options));
  const keys = await createTestKeys({ algorithm: "EdDSA" });
  const [head, , signature] = (await keys.token()).split(".");
  // The signature is wrong in any case. Signing takes time that the clock of the test does not count.
  const token = (): string => {
    const exp = Math.floor((Date.now() + expiresIn) / 1000);
    const claims = { iss: "k", sub: "u", aud: "/", iat: exp - 172_800, exp };
    return `${head}.${btoa(JSON.stringify(claims)).replaceAll("=", "")}.${signature}`;
  };
  let count = 0;
  const reports: string[] = [];
  const client = caller.newClient("memory:target", {
    authentication: { type: "token", key: token() },
    connect: () => {
      const [here, there] = memorySessions();
      target.accept(there);
      return here;
    },
  });
  const fetchToken = (): Promise<string> => {
    count++;
    return Promise.resolve(token());
  };
  const renewer = new TokenRenewer(client, fetchToken, (what) => reports.push(what));
  await client.dial();
  return { clock, client, renewer, count: () => count, reports };
}

for (const ahead of [72, 9_000]) {
  Deno.test(`TokenRenewer: a clock that is ${ahead} h ahead causes few renewals and one report`, async () => {
    await using stack = new AsyncDisposableStack();
    const expiresIn = (48 - ahead) * 3_600_000;
    const renewals = await startRenewals(stack, { expiresIn, takesTokens: true });
    assertEquals(await callForSeconds(renewals, 60), [9]);
    // Immediately, then after 2, 6, 14 and 30 s.
    assertEquals(renewals.count(), 5);
    assertEquals(renewals.reports.length, 1, renewals.reports.join());
    assert(renewals.reports[0]!.includes("check the clocks"), renewals.reports[0]);
  });
}

Deno.test("TokenRenewer: a remote that refuses every new token causes few renewals and one report", async () => {
  await using stack = new AsyncDisposableStack();
  const renewals = await startRenewals(stack, { expiresIn: 172_800_000, takesTokens: false });
  assertEquals(await callForSeconds(renewals, 60), ["authenticationError"]);
  // Immediately, then after 1, 2, 4, 8, 16 and 32 s.
  assertEquals(renewals.count(), 7);
  assertEquals(renewals.reports.length, 1, renewals.reports.join());
  assert(renewals.reports[0]!.includes("check the clocks"), renewals.reports[0]);
});

Deno.test("TokenRenewer: a failed renewal is reported once, retried, and blocks no call", async () => {
  await using stack = new AsyncDisposableStack();
  const { client, clock } = await startRenewals(stack, { expiresIn: -1_000, takesTokens: true });
  let tries = 0;
  const reports: unknown[] = [];
  const renewer = new TokenRenewer(client, () => {
    if (++tries < 3) return Promise.reject(new KiteError("genericError", "away"));
    return Promise.resolve("");
  }, (what) => reports.push(what));
  await renewer.due();
  assertEquals([tries, renewer.due()], [1, undefined]);
  await clock.tick(1_000);
  assertEquals(tries, 2);
  await clock.tick(2_000);
  assertEquals([tries, reports.length], [3, 1]);
});

Deno.test("TokenRenewer: renews a token 30 s before it expires, for as long as it is connected", async () => {
  await using stack = new AsyncDisposableStack();
  const expiresIn = 172_800_000;
  const { client, clock, count } = await startRenewals(stack, { expiresIn, takesTokens: true });
  assertEquals(await client.tell("square", 3), 9);
  await clock.tick(expiresIn - 32_000);
  assertEquals(count(), 0);
  await clock.tick(2_000);
  assertEquals(count(), 1);
  await clock.tick(10 * expiresIn);
  assertEquals([count(), endOf(client) > clock.now], [11, true]);
  await client.close();
  await clock.tick(10 * expiresIn);
  assertEquals(count(), 11);
});
