import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { readTokenClaims, signToken } from "../../src/auth/jwt.ts";
import type { Client } from "../../src/client.ts";
import { TokenRenewer } from "../../src/discovery/token_renewer.ts";
import { Kite } from "../../src/kite.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { createTestKeys, type TestKontrol } from "../../src/testing/mod.ts";
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
  readonly client: Client;
  readonly renewer: TokenRenewer;
  readonly count: () => number;
  readonly reports: readonly string[];
}

/**
 * Calls again and again for five seconds.
 *
 * @returns What the calls came to, each outcome once.
 */
async function callForSeconds({ client, renewer }: Renewals): Promise<unknown[]> {
  const outcomes = new Set<unknown>();
  const end = performance.now() + 5_000;
  while (performance.now() < end) {
    await renewer.due();
    outcomes.add(await client.tell("square", 3).catch((error: KiteError) => error.type));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return [...outcomes];
}

async function startRenewals(
  stack: AsyncDisposableStack,
  { expiresIn, takesTokens }: { expiresIn: number; takesTokens: boolean },
): Promise<Renewals> {
  const other = await createTestKeys({ algorithm: "EdDSA", kontrolUser: "k" });
  const options = { ip: "127.0.0.1", kiteKey: "", logger: keepingLogger() };
  const trusted = { kontrolUser: "k", kontrolKey: other.pair.publicKey };
  const target = stack.use(new Kite("target", "1.0.0", { ...options, ...trusted }));
  const method = target.handle("square", ({ args }) => args.one().number() ** 2);
  if (takesTokens) method.disableAuthentication();
  const caller = stack.use(new Kite("caller", "1.0.0", options));
  const keys = await createTestKeys({ algorithm: "EdDSA" });
  const token = (): Promise<string> => {
    const exp = Math.floor((Date.now() + expiresIn) / 1000);
    return signToken({ iss: "k", sub: "u", aud: "/", iat: exp - 172_800, exp }, keys.privateKey);
  };
  let count = 0;
  const reports: string[] = [];
  const client = caller.newClient((await target.listen()).url, {
    authentication: { type: "token", key: await token() },
  });
  const fetchToken = (): Promise<string> => {
    count++;
    return token();
  };
  const renewer = new TokenRenewer(client, fetchToken, (what) => reports.push(what));
  await client.dial();
  return { client, renewer, count: () => count, reports };
}

for (const ahead of [72, 9_000]) {
  Deno.test(`TokenRenewer: a clock that is ${ahead} h ahead causes few renewals and one report`, async () => {
    await using stack = new AsyncDisposableStack();
    const expiresIn = (48 - ahead) * 3_600_000;
    const renewals = await startRenewals(stack, { expiresIn, takesTokens: true });
    assertEquals(await callForSeconds(renewals), [9]);
    // After 1, 3, 7 … seconds, not after each one.
    assert(renewals.count() <= 3, `${renewals.count()} renewals in 5 s`);
    assertEquals(renewals.reports.length, 1, renewals.reports.join());
    assert(renewals.reports[0]!.includes("check the clocks"), renewals.reports[0]);
  });
}

Deno.test("TokenRenewer: a remote that refuses every new token causes few renewals and one report", async () => {
  await using stack = new AsyncDisposableStack();
  const renewals = await startRenewals(stack, { expiresIn: 172_800_000, takesTokens: false });
  assertEquals(await callForSeconds(renewals), ["authenticationError"]);
  assert(renewals.count() >= 2 && renewals.count() <= 4, `${renewals.count()} renewals in 5 s`);
  assertEquals(renewals.reports.length, 1, renewals.reports.join());
  assert(renewals.reports[0]!.includes("check the clocks"), renewals.reports[0]);
});

Deno.test("TokenRenewer: a failed renewal is reported once, retried, and blocks no call", async () => {
  await using stack = new AsyncDisposableStack();
  const { client } = await startRenewals(stack, { expiresIn: -1_000, takesTokens: true });
  let tries = 0;
  const reports: unknown[] = [];
  const renewer = new TokenRenewer(client, () => {
    if (++tries < 3) return Promise.reject(new KiteError("genericError", "away"));
    return Promise.resolve("");
  }, (what) => reports.push(what));
  await renewer.due();
  assertEquals([tries, renewer.due()], [1, undefined]);
  await eventually(() => tries === 3, { withinMs: 10_000, what: "the third try" });
  assertEquals(reports.length, 1);
});
