import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Client, Kite, KiteError } from "../../mod.ts";
import { generateKeyPair } from "../../src/auth/keys.ts";
import { readTokenClaims } from "../../src/auth/jwt.ts";
import { readKiteKeyClaims } from "../../src/auth/kite_key.ts";
import { SqliteStorage } from "../../kontrol/storage/sqlite.ts";
import type { TestKontrol } from "../../src/testing/mod.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { startKontrol, TemporaryFolder } from "./support.ts";

/** Calls until the end of the scope: over one connection, and with discovery each time. */
class Calls implements AsyncDisposable {
  readonly failures: string[] = [];
  steady = 0;
  fresh = 0;
  #isOver = false;
  readonly #loops: Promise<void>[];

  constructor(caller: Kite, client: Client) {
    this.#loops = [this.#steadily(client), this.#freshly(caller)];
  }

  /** Waits for some more calls of both kinds. */
  async more(calls = 5): Promise<void> {
    const [steady, fresh] = [this.steady + calls, this.fresh + calls];
    await eventually(() => this.steady >= steady && this.fresh >= fresh, { what: "more calls" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  async #steadily(client: Client): Promise<void> {
    while (!this.#isOver) {
      await this.#count(async () => assertEquals(await client.tell("square", 4), 16));
      this.steady++;
      await pause(2);
    }
  }

  async #freshly(caller: Kite): Promise<void> {
    while (!this.#isOver) {
      await this.#count(async () => {
        const token = await caller.getToken({ name: "math" }, { force: true });
        const [found] = await caller.getKites({ name: "math" });
        await using client = found!;
        client.authentication = { type: "token", key: token };
        await client.dial();
        assertEquals(await client.tell("square", 5), 25);
      });
      this.fresh++;
      await pause(2);
    }
  }

  async #count(call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.failures.push(String(error));
    }
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function startMath(
  kontrol: TestKontrol,
  kiteKey: string,
): Promise<{ math: Kite; url: string }> {
  const math = new Kite("math", "1.0.0", {
    ip: "127.0.0.1",
    port: 0,
    environment: "test",
    kiteKey,
    kontrolUrl: kontrol.url,
    logLevel: "FATAL",
  });
  math.handle("square", ({ args }) => args.one().number() ** 2);
  const { url } = await math.listen();
  await math.register(url);
  return { math, url };
}

Deno.test("key rotation: a pair is added, used and deleted, and no call fails", async () => {
  await using kontrol = await startKontrol();
  const { keys } = kontrol.kontrol;
  const own = await keys.own();
  const old = await keys.add(await generateKeyPair("EdDSA"));
  const oldKey = await keys.signKiteKey("testuser", old);
  const { math, url } = await startMath(kontrol, oldKey);
  await using caller = new Kite("caller", "1.0.0", {
    kiteKey: oldKey,
    kontrolUrl: kontrol.url,
    logLevel: "FATAL",
  });
  const [client] = await caller.getKites({ name: "math" });
  await client!.dial();
  // A client that authenticates to Kontrol with the kite.key itself.
  await using kontrolClient = math.newClient(kontrol.url, {
    authentication: { type: "kiteKey", key: oldKey },
  });
  await kontrolClient.dial();
  await using calls = new Calls(caller, client!);
  await calls.more();
  assertEquals(await math.getKey(), old.public, "the old pair is still in use");
  await keys.add(await generateKeyPair("EdDSA"));
  await calls.more();
  assertEquals(readKidOf(await caller.getToken({ name: "math" }, { force: true })), old.id);

  await keys.keyPairs.softDelete(old.id);
  await calls.more(20);
  assertEquals(readKidOf(await caller.getToken({ name: "math" }, { force: true })), own.id);
  const answer = await math.registerOnce(url);
  await calls.more(20);
  assertEquals(calls.failures, []);

  // If the kite has already learned of the new pair by itself, it has its new kite.key.
  const shown = kontrolClient.authentication?.key ?? "";
  assertEquals(readKiteKeyClaims(shown).kontrolKey, own.public);
  assert(answer.kiteKey === undefined || answer.kiteKey === shown);
  await math.close();
});

Deno.test("keyRenewer: the kite gets a new kite.key before any call needs it", async () => {
  await using kontrol = await startKontrol();
  const { keys } = kontrol.kontrol;
  const old = await keys.add(await generateKeyPair("EdDSA"));
  const oldKey = await keys.signKiteKey("testuser", old);
  const { math } = await startMath(kontrol, oldKey);
  await using kontrolClient = math.newClient(kontrol.url, {
    authentication: { type: "kiteKey", key: oldKey },
  });
  await kontrolClient.dial();
  let shown = "";
  kontrolClient.onTokenRenew(({ key }) => void (shown = key));
  assertThrows(
    () => math.keyRenewer(1),
    KiteError,
    "Cannot use interval 1: must be a number of milliseconds, at least 100",
  );
  const stop = math.keyRenewer(100);
  await keys.keyPairs.softDelete(old.id);
  await eventually(() => shown !== "", { withinMs: 5_000, what: "the new kite.key" });
  assertEquals(readKiteKeyClaims(shown).kontrolKey, (await keys.own()).public);
  stop();
  math.keyRenewer(60_000); // ends with the kite
  await math.close();
});

Deno.test("key rotation: Kontrol restarts with another pair, and no call fails", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/kontrol.db`;
  const port = freePort();
  const kite = { port, logLevel: "FATAL" } as const;
  const first = await startKontrol({ storage: new SqliteStorage({ path }), kite });
  const oldKey = await first.kiteKey();
  const { math } = await startMath(first, oldKey);
  await using caller = new Kite("caller", "1.0.0", {
    kiteKey: oldKey,
    kontrolUrl: first.url,
    logLevel: "FATAL",
  });
  const [client] = await caller.getKites({ name: "math" });
  await client!.dial();
  await using calls = new Calls(caller, client!);
  await calls.more();
  await first[Symbol.asyncDispose]();
  await using second = await startKontrol({ storage: new SqliteStorage({ path }), kite });
  await calls.more();
  const { keys } = second.kontrol;
  const old = await keys.pairOf(first.pair.publicKey.trim());
  assert((await keys.own()).id !== old.id);
  await keys.keyPairs.softDelete(old.id);
  await calls.more(20);
  assertEquals(
    readKidOf(await caller.getToken({ name: "math" }, { force: true })),
    (await keys.own()).id,
  );
  const cut = calls.failures.filter((failure) => !failure.startsWith("disconnect"));
  assertEquals(cut, [], "only calls that were pending when Kontrol stopped may fail");
  await math.close();
});

function readKidOf(token: string): string {
  assert(readTokenClaims(token).sub !== undefined);
  return JSON.parse(atob(token.split(".")[0] ?? "")).kid;
}
