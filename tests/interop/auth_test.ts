/** Tokens and kite.keys between this project's kite and the Go kite, both ways. */

import { assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../mod.ts";
import { createTestKeys, type TestKeys, type TestTokenOptions } from "../../src/testing/keys.ts";
import { skipUnless } from "../support/parts.ts";
import { ourKite } from "./our_kite.ts";
import { Peer, PeerError } from "./peers.ts";

interface Case {
  readonly name: string;
  /** What the caller shows. */
  readonly show: (keys: TestKeys, strangers: TestKeys) => Promise<Shown | undefined>;
  /** The whole message of the refusal; none when the call is answered. */
  readonly refusal?: string;
}

interface Shown {
  readonly type: "token" | "kiteKey";
  readonly key: string;
}

function token(options: TestTokenOptions): Case["show"] {
  return async (keys) => ({
    type: "token",
    key: await keys.token({ username: "alice", ...options }),
  });
}

const cases: readonly Case[] = [
  { name: "a token for all", show: token({ audience: "/" }) },
  { name: "a token for the user", show: token({ audience: "/bob" }) },
  { name: "a token for the kite", show: token({ audience: "/bob/testing/target" }) },
  {
    name: "a kite.key",
    show: async (keys) => ({ type: "kiteKey", key: await keys.kiteKey("alice") }),
  },
  {
    name: "nothing",
    show: () => Promise.resolve(undefined),
    refusal: "No authentication information is provided",
  },
  {
    name: "an expired token",
    show: token({ ttl: -60_000 }),
    refusal: "token: token is expired",
  },
  {
    name: "a token for someone else",
    show: token({ audience: "/carol" }),
    refusal: "token: audience",
  },
  {
    name: "a token of another signer",
    show: async (_, strangers) => ({ type: "token", key: await strangers.token() }),
    refusal: "token: token is expired",
  },
  {
    name: "a kite.key of another Kontrol",
    show: async (_, strangers) => ({ type: "kiteKey", key: await strangers.kiteKey() }),
    refusal: "kiteKey: kontrol key is not trusted",
  },
];

/** Two Kontrols' keys: signing is slow, so all cases share them. */
async function makeKeys(): Promise<[TestKeys, TestKeys]> {
  return await Promise.all([
    createTestKeys({ kontrolUser: "kontrol" }),
    createTestKeys({ kontrolUser: "kontrol" }),
  ]);
}

async function checkCase(
  { name, refusal }: Case,
  call: () => Promise<unknown>,
  errorClass: typeof KiteError | typeof PeerError,
): Promise<void> {
  if (refusal === undefined) {
    const { username } = await call() as { username: string };
    assertEquals(username, "alice", name);
  } else {
    const error = await assertRejects(call, errorClass, refusal, name) as KiteError | PeerError;
    assertEquals(error.type, "authenticationError", name);
  }
}

Deno.test({
  name: "interop: Go shows ours its tokens and kite.keys",
  ...skipUnless("go"),
  fn: async () => {
    const [keys, strangers] = await makeKeys();
    await using kite = ourKite({
      disableAuthentication: false,
      username: "bob",
      environment: "testing",
      kontrolUser: "kontrol",
      kontrolKey: keys.pair.publicKey,
    });
    const { url } = await kite.listen();

    for (const one of cases) {
      const shown = await one.show(keys, strangers);
      const flags = shown ? [shown.type === "token" ? "-token" : "-kitekey", shown.key] : [];
      await using peer = await Peer.goClient(url, ...flags);
      await checkCase(one, () => peer.call("whoami"), PeerError);
    }
  },
});

Deno.test({
  name: "interop: ours shows Go its tokens and kite.keys",
  ...skipUnless("go"),
  fn: async () => {
    const [keys, strangers] = await makeKeys();
    const file = await Deno.makeTempFile();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(file));
    await Deno.writeTextFile(file, keys.pair.publicKey.trim());
    const peer = stack.use(
      await Peer.goServer(
        ...["-auth", "-kontrolkey", file, "-issuer", "kontrol"],
        ...["-username", "bob", "-environment", "testing", "-name", "target"],
      ),
    );
    const kite = stack.use(ourKite());

    for (const one of cases) {
      const shown = await one.show(keys, strangers);
      await using client = kite.newClient(peer.url, shown ? { authentication: shown } : {});
      await client.dial();
      await checkCase(one, () => client.tell("whoami"), KiteError);
    }
  },
});
