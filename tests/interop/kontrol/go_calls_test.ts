/** Go clients and our kites find each other at our Kontrol, and call each other. */

import { assertEquals, assertRejects } from "@std/assert";
import type { Kite, KontrolQuery } from "../../../mod.ts";
import { skipUnless } from "../../support/parts.ts";
import type { TestKontrol } from "../../../src/testing/kontrol.ts";
import { OurCaller } from "../caller.ts";
import { checkCalls } from "../checks.ts";
import { ourKite } from "../our_kite.ts";
import {
  audienceOf,
  checkFoundAndCalled,
  ENVIRONMENT,
  findAll,
  goKite,
  ourKontrolledKite,
  startBriskKontrol,
} from "./setup.ts";
import { Peer, PeerError } from "../peers.ts";

for (const transport of ["WebSocket", "XHRPolling"]) {
  Deno.test({
    name: `kontrol: Go finds ours and ours finds Go, at a Kontrol over ${transport}`,
    ...skipUnless("go"),
    fn: async () => {
      await using kontrol = await startBriskKontrol();
      await using stack = new AsyncDisposableStack();
      const ours = stack.use(ourKontrolledKite(await kontrol.kiteKey("bob"), kontrol.url));
      await ours.register((await ours.listen()).url);
      const flags = ["-transport", transport, "-name", "gopeer"];
      const peer = stack.use(await goKite(await kontrol.kiteKey("alice"), ...flags));

      const [found] = await findAll(peer, { username: "bob", environment: ENVIRONMENT });
      assertEquals(found?.kite, ours.identity);
      assertEquals(audienceOf(found!.token), "/bob/testing/target");
      await peer.call("dial", [0]);
      assertEquals(await peer.call("tell", [0, "square", 7]), 49);
      assertEquals(await peer.call("tell", [0, "whoami"]).then(usernameOf), "alice");

      await peer.call("registerForever");
      await checkFoundAndCalled(ours, { username: "alice", name: "gopeer" });
      const [remote] = await ours.getKites({ name: "gopeer" });
      await using client = remote!;
      await client.dial();
      await checkCalls(new OurCaller(client), "goServer");
    },
  });
}

function usernameOf(whoami: unknown): string {
  return (whoami as { username: string }).username;
}

/** Kites to be told apart by every field that a query can hold. */
const LISTED = [
  { name: "math", version: "1.0.0", region: "here" },
  { name: "math", version: "1.2.5", region: "here" },
  { name: "math", version: "1.10.0", region: "there" },
  { name: "math", version: "2.0.0-rc.1", region: "there" },
  { name: "math", version: "2.0.0", region: "there2" },
  { name: "geometry", version: "1.0.0", region: "here" },
];

/** By the place in the list. */
const QUERIES: readonly [KontrolQuery, readonly number[]][] = [
  [{ username: "bob" }, [0, 1, 2, 3, 4, 5]],
  [{ name: "math" }, [0, 1, 2, 3, 4]],
  [{ version: "1.0.0" }, [0, 5]],
  [{ username: "bob", name: "geometry" }, [5]],
  [{ environment: ENVIRONMENT, region: "there" }, [2, 3]],
  [{ username: "bob", environment: ENVIRONMENT, name: "math", region: "here" }, [0, 1]],
  [{ name: "math", version: "2.0.0-rc.1" }, [3]],
  [{ name: "math", version: ">= 1.0, < 2.0" }, [0, 1, 2]],
  [{ name: "math", version: "~> 1.2" }, [1, 2]],
  [{ name: "math", version: "~> 1.2.0" }, [1]],
  [{ name: "math", version: "!= 1.0.0" }, [1, 2, 4]],
  [{ name: "math", version: ">= 2.0.0-rc.1" }, [3, 4]],
  [{ name: "math", version: "> 1.0.0", region: "there" }, [2]],
  // A single candidate, which the Go Kontrol on PostgreSQL does not look at.
  [{ name: "geometry", version: "< 2.0" }, [5]],
];

const NOTHING: readonly KontrolQuery[] = [
  { name: "geometry", version: ">= 2.0" },
  { name: "math", region: "the" },
  { username: "nobody" },
  { id: crypto.randomUUID() },
  { id: "no-uuid" },
];

async function listKites(kontrol: TestKontrol, stack: AsyncDisposableStack): Promise<Kite[]> {
  const kiteKey = await kontrol.kiteKey("bob");
  const common = { kiteKey, kontrolUrl: kontrol.url, environment: ENVIRONMENT };
  return await Promise.all(LISTED.map(async ({ name, version, region }) => {
    const kite = stack.use(ourKite({ ...common, region }, name, version));
    await kite.register((await kite.listen()).url);
    return kite;
  }));
}

Deno.test({
  name: "kontrol: a Go client queries with gaps, by id, and with version constraints",
  ...skipUnless("go"),
  fn: async () => {
    await using kontrol = await startBriskKontrol({ registerUrl: "" });
    await using stack = new AsyncDisposableStack();
    const kites = await listKites(kontrol, stack);
    const peer = stack.use(await goKite(await kontrol.kiteKey("alice")));

    const byId: [KontrolQuery, number[]][] = kites.map(({ id }, i) => [{ id }, [i]]);
    for (const [query, wanted] of [...QUERIES, ...byId]) {
      const found = await findAll(peer, query);
      const ids = found.map(({ kite }) => kite.id).sort();
      assertEquals(ids, wanted.map((i) => kites[i]!.id).sort(), JSON.stringify(query));
      for (const { kite, token } of found) {
        assertEquals(audienceOf(token), `/bob/${ENVIRONMENT}/${kite.name}`);
      }
    }
    for (const query of NOTHING) {
      assertEquals(await refusal(findAll(peer, query)), "no kites availabile");
    }
    assertEquals(
      (await refusal(findAll(peer, { name: "math", version: ">= a.b" }))).includes(">= a.b"),
      true,
      "a constraint that is none is named",
    );
  },
});

Deno.test({
  name: "kontrol: a Go kite of another Kontrol is refused in the Go Kontrol's words",
  ...skipUnless("go"),
  fn: async () => {
    await using kontrol = await startBriskKontrol();
    await using other = await startBriskKontrol();
    const kiteKey = await other.kiteKey("mallory");
    await using peer = await goKite(kiteKey, "-kontrol", kontrol.url);
    for (const method of ["register", "registerHTTP", "getKey"]) {
      const words = await refusal(peer.call(method));
      assertEquals(words, method === "registerHTTP" ? "no key pair found" : WRONG_KEY, method);
    }
    assertEquals(await refusal(findAll(peer, { name: "kontrol" })), WRONG_KEY);
  },
});

Deno.test({
  name: "kontrol: calls that are refused, in the Go Kontrol's types and words",
  ...skipUnless("go"),
  fn: async () => {
    await using kontrol = await startBriskKontrol();
    await using stack = new AsyncDisposableStack();
    const kite = stack.use(ourKontrolledKite(await kontrol.kiteKey("bob"), kontrol.url));
    const token = await kite.getToken({ name: "kontrol" });
    const dial = async (...flags: string[]): Promise<Peer> =>
      stack.use(await Peer.goClient(kontrol.url, ...flags));
    const callers = {
      nothing: await dial(),
      token: await dial("-token", token),
      kiteKey: await dial("-kitekey", await kontrol.kiteKey("alice")),
    };
    const url = "http://127.0.0.1:1/kite";
    const refused: [keyof typeof callers, string, unknown, string, string][] = [
      [
        "nothing",
        "getKites",
        {},
        "authenticationError",
        "No authentication information is provided",
      ],
      [
        "nothing",
        "registerMachine",
        {},
        "authenticationError",
        "no valid authentication key found",
      ],
      [
        "token",
        "register",
        { url },
        "authenticationError",
        "Unexpected authentication type: token",
      ],
      ["token", "getKey", null, "authenticationError", "Unexpected authentication type: token"],
      ["kiteKey", "nosuch", null, "methodNotFound", "Method not found: nosuch"],
      [
        "kiteKey",
        "getKites",
        { query: { version: "abc" } },
        "argumentError",
        "Malformed constraint: ",
      ],
    ];
    for (const [caller, method, argument, type, words] of refused) {
      const call = callers[caller].call(method, [argument]);
      const error = await assertRejects(() => call, PeerError, words, method);
      assertEquals(error.type, type, method);
    }
  },
});

const WRONG_KEY = "kiteKey: no key pair found";

async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof PeerError) return error.message;
    throw error;
  }
  return "no refusal";
}
