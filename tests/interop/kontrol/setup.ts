/** Helpers of the tests in this folder: kites of the three implementations at a Kontrol. */

import { assertEquals } from "@std/assert";
import type { Kite, KiteIdentity, KiteOptions, KontrolQuery } from "../../../mod.ts";
import { readTokenClaims } from "../../../src/auth/jwt.ts";
import { startTestKontrol, type TestKontrol } from "../../../src/testing/kontrol.ts";
import { eventually } from "../../support/eventually.ts";
import { ourKite } from "../our_kite.ts";
import { Peer } from "../peers.ts";

/** Where every kite of these tests runs. */
export const ENVIRONMENT = "testing";

/** A kite as the Go peer and the kite.js peer describe one that they found. */
export interface Found {
  readonly kite: KiteIdentity;
  readonly url: string;
  readonly token: string;
  /** kite.js only: what its commands name the kite by. */
  readonly number: number;
}

/** Starts our Kontrol, which expects heartbeats every few seconds. */
export function startBriskKontrol(
  options: NonNullable<Parameters<typeof startTestKontrol>[0]> = {},
): Promise<TestKontrol> {
  return startTestKontrol({
    username: "kontrol",
    liveness: {
      heartbeatInterval: 1_000,
      heartbeatGrace: 2_000,
      disconnectGrace: 200,
      refreshInterval: 500,
    },
    ...options,
    kite: { logLevel: "FATAL", ...options.kite },
  });
}

/** A file that is removed at the end of the scope. */
export async function temporaryFile(text: string): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, text);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

/** Starts a Go kite with this kite.key, which says who it is and where its Kontrol is. */
export async function goKite(kiteKey: string, ...flags: string[]): Promise<Peer> {
  await using file = await temporaryFile(kiteKey);
  return await Peer.goRegistered("-kitekeyfile", file.path, "-environment", ENVIRONMENT, ...flags);
}

/** Creates a kite of this project with this kite.key, and the methods that every peer has. */
export function ourKontrolledKite(
  kiteKey: string,
  kontrolUrl: string,
  options: KiteOptions = {},
): Kite {
  const environment = ENVIRONMENT;
  return ourKite({ kiteKey, kontrolUrl, environment, disableAuthentication: false, ...options });
}

/** Returns the identity that a Go kite reports. */
export function identityOf(peer: Peer): KiteIdentity {
  const ready = peer.events.find(({ event }) => event === "ready");
  return ready?.args?.[0] as KiteIdentity;
}

/** What the Go kite's or kite.js's own client of Kontrol finds. */
export async function findAll(peer: Peer, query: KontrolQuery): Promise<Found[]> {
  return await peer.call("getKites", [query]) as Found[];
}

/** Waits until our kite finds what matches, and calls it, with the token that came along. */
export async function checkFoundAndCalled(
  caller: Kite,
  query: KontrolQuery,
  withinMs = 15_000,
): Promise<string> {
  const what = `a kite that is ${JSON.stringify(query)}`;
  const [client] = await eventually(async () => await caller.getKites(query), { withinMs, what });
  await using remote = client!;
  await remote.dial();
  assertEquals(await remote.tell("square", 4), 16);
  const whoami = await remote.tell("whoami") as { username: string; authType: string };
  assertEquals([whoami.username, whoami.authType], [caller.identity.username, "token"]);
  return remote.authentication!.key;
}

/** The audience of a token. */
export function audienceOf(token: string): string | undefined {
  const { aud } = readTokenClaims(token);
  return typeof aud === "string" ? aud : aud?.join();
}
