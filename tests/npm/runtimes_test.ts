/**
 * The npm package on Node and Bun: its kites call the kites of Deno, Go and kite.js, and are called
 * by them, over every transport that both have.
 */

import { assertEquals } from "@std/assert";
import type { ClientTransport } from "../../mod.ts";
import { type Caller, OurCaller } from "../interop/caller.ts";
import { type Callee, checkCalls } from "../interop/checks.ts";
import { ourKite } from "../interop/our_kite.ts";
import { Peer } from "../interop/peers.ts";
import { openKiteBehindGo } from "../interop/proxy/setup.ts";
import { eventually } from "../support/eventually.ts";
import { skipUnless } from "../support/parts.ts";
import { checkGuide } from "./guide.ts";
import { checkKontrol, checkMissingDriver } from "./kontrol.ts";
import { checkMounted } from "./mounted.ts";
import { NpmPeer, preparePeer } from "./npm_peer.ts";
import { checkProxies } from "./proxies.ts";
import {
  checkClosing,
  checkConnections,
  checkForwarding,
  checkLeaving,
  checkLongMessage,
  checkManyConnections,
  checkSockJs,
  checkTls,
} from "./serving.ts";
import { findRuntimes, Project, type Runtime } from "./support.ts";

/** Checks calls in both directions of a connection. */
async function checkBoth(
  dialler: Caller,
  dialled: Caller,
  who: { readonly dialler: Callee; readonly dialled: Callee },
): Promise<void> {
  await checkCalls(dialler, who.dialled);
  await checkCalls(dialled, who.dialler);
}

async function dialOurs(project: Project, runtime: Runtime, transport: string): Promise<void> {
  await using kite = ourKite();
  const { url } = await kite.listen();
  await using peer = await NpmPeer.call(project, runtime, url, transport);
  const connection = await eventually(() => [...kite.connections][0], { what: "a connection" });
  const ours = new OurCaller(connection);
  await checkBoth(peer, ours, { dialler: "ours", dialled: "ours" });
}

async function dialledByOurs(
  project: Project,
  runtime: Runtime,
  transport: ClientTransport,
): Promise<void> {
  await using peer = await NpmPeer.serve(project, runtime);
  await using kite = ourKite();
  await using client = kite.newClient(peer.url, { transport });
  await client.dial();
  await checkBoth(new OurCaller(client), peer, { dialler: "ours", dialled: "ours" });
}

async function dialGo(project: Project, runtime: Runtime, transport: string): Promise<void> {
  await using go = await Peer.goServer();
  await using peer = await NpmPeer.call(project, runtime, go.url, transport);
  await go.event("connect");
  await checkBoth(peer, go, { dialler: "ours", dialled: "goServer" });
}

/** A client that sends an `Origin` would be taken for a page there. */
async function dialThroughGo(project: Project, runtime: Runtime, transport: string): Promise<void> {
  await using behind = await openKiteBehindGo();
  await using peer = await NpmPeer.call(project, runtime, behind.url, transport);
  assertEquals(await peer.call("square", [5]), 25);
}

async function dialledByGo(project: Project, runtime: Runtime, transport: string): Promise<void> {
  await using peer = await NpmPeer.serve(project, runtime);
  await using go = await Peer.goClient(peer.url, "-transport", transport);
  await checkBoth(go, peer, { dialler: "goClient", dialled: "ours" });
}

async function dialledByKitejs(
  project: Project,
  runtime: Runtime,
  transport: string,
): Promise<void> {
  await using peer = await NpmPeer.serve(project, runtime);
  const url = transport === "raw" ? peer.url.replace("http:", "ws:") : peer.url;
  const flags = transport === "raw" ? [] : ["-transport", transport];
  await using kitejs = await Peer.kitejsClient(url, ...flags);
  await checkBoth(kitejs, peer, { dialler: "kitejsClient", dialled: "ours" });
}

const CHECKS: readonly (readonly [
  string,
  (project: Project, runtime: Runtime) => Promise<void>,
])[] = [
  ["SockJS begins each of its HTTP transports", checkSockJs],
  ["a client that leaves during a poll ends its session", checkLeaving],
  ["TLS with a private authority works both ways", checkTls],
  ["connections without a request end, and broken ones are refused", checkConnections],
  ["a message beyond the limit ends its connection only", checkLongMessage],
  ["kites behind the proxies of the library are called, plain and over TLS", checkForwarding],
  ["connections beyond the limit are refused", checkManyConnections],
  ["closing lets a running call finish", checkClosing],
  ["Kontrol keeps kites in SQLite across a restart", checkKontrol],
  ["the proxies make kites reachable", checkProxies],
  ["the guide works as it stands", checkGuide],
  ["a kite is part of another server, and the opposite", checkMounted],
  ["a storage whose driver is missing says what to install", checkMissingDriver],
];

const runtimes = findRuntimes();
const transports = ["WebSocket", "XHRPolling"] as const;
const needs = skipUnless("go", "node");

Deno.test({
  name: "npm: kites on Node and Bun and those of Deno, Go and kite.js call each other",
  ignore: needs.ignore || runtimes.length === 0,
  fn: async (t) => {
    await using project = await Project.create("hono@4", "@hono/node-server@2");
    await preparePeer(project);
    for (const runtime of runtimes) {
      const { name } = runtime;
      for (const [what, check] of CHECKS) {
        await t.step(`${name}: ${what}`, () => check(project, runtime));
      }
      for (const transport of transports) {
        await t.step(
          `${name} dials Deno over ${transport}`,
          () => dialOurs(project, runtime, transport),
        );
        await t.step(
          `Deno dials ${name} over ${transport}`,
          () => dialledByOurs(project, runtime, transport),
        );
        await t.step(
          `${name} dials Go over ${transport}`,
          () => dialGo(project, runtime, transport),
        );
        await t.step(
          `${name} dials through Go's proxy over ${transport}`,
          () => dialThroughGo(project, runtime, transport),
        );
        await t.step(
          `Go dials ${name} over ${transport}`,
          () => dialledByGo(project, runtime, transport),
        );
      }
      await t.step(
        `Deno dials ${name} over rawWebSocket`,
        () => dialledByOurs(project, runtime, "rawWebSocket"),
      );
      for (const transport of ["raw", "XHRStreaming"]) {
        await t.step(
          `kite.js dials ${name} over ${transport}`,
          () => dialledByKitejs(project, runtime, transport),
        );
      }
    }
  },
});
