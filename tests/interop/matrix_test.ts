/**
 * Every pairing of this project's kite with the existing ones, over every transport that both
 * have: the side that dialled calls the other, and is called by it, through one table of checks.
 */

import { type ClientOptions, type Connection, type Kite, webSocketSession } from "../../mod.ts";
import type { Part } from "../../tools/parts.ts";
import { eventually } from "../support/eventually.ts";
import { skipUnless } from "../support/parts.ts";
import { type Caller, OurCaller } from "./caller.ts";
import { type Callee, checkCalls } from "./checks.ts";
import { ourKite } from "./our_kite.ts";
import { Peer } from "./peers.ts";

/** Both ends of one connection. */
interface Ends extends AsyncDisposable {
  readonly dialler: Caller;
  readonly dialled: Caller;
}

interface Pairing {
  readonly name: string;
  readonly parts: readonly Part[];
  readonly connect: () => Promise<Ends>;
  readonly dialler: Callee;
  readonly dialled: Callee;
}

function ends(dialler: Caller, dialled: Caller, stack: AsyncDisposableStack): Ends {
  const owner = stack.move();
  return { dialler, dialled, [Symbol.asyncDispose]: () => owner.disposeAsync() };
}

async function weDial(start: () => Promise<Peer>, options: ClientOptions): Promise<Ends> {
  await using stack = new AsyncDisposableStack();
  const peer = stack.use(await start());
  const client = stack.use(stack.use(ourKite()).newClient(peer.url, options));
  await client.dial();
  await peer.event("connect");
  return ends(new OurCaller(client), peer, stack);
}

async function weServe(start: (url: string) => Promise<Peer>): Promise<Ends> {
  await using stack = new AsyncDisposableStack();
  const kite = stack.use(ourKite());
  const { url } = await kite.listen();
  const peer = stack.use(await start(url));
  return ends(peer, new OurCaller(await onlyConnection(kite)), stack);
}

async function onlyConnection(kite: Kite): Promise<Connection> {
  return await eventually(() => [...kite.connections][0], { what: "a connection" });
}

const goServer = () => Peer.goServer();
const goWithoutWebSocket = () => Peer.goServer("-transport", "XHRPolling");
const kitejsSockJs = () => Peer.kitejsServer("-transport", "SockJS", "-prefix", "/kite");
const raw = (url: string) => url.replace("http:", "ws:");

const pairings: Pairing[] = [
  ...(["WebSocket", "XHRPolling", "auto"] as const).map((transport): Pairing => ({
    name: `ours dials Go over ${transport}`,
    parts: ["go"],
    connect: () => weDial(goServer, { transport }),
    dialler: "ours",
    dialled: "goServer",
  })),
  {
    name: "ours dials Go, auto, where WebSocket is off",
    parts: ["go"],
    connect: () => weDial(goWithoutWebSocket, { transport: "auto" }),
    dialler: "ours",
    dialled: "goServer",
  },
  ...["WebSocket", "XHRPolling", "auto"].map((transport): Pairing => ({
    name: `Go dials ours over ${transport}`,
    parts: ["go"],
    connect: () => weServe((url) => Peer.goClient(url, "-transport", transport)),
    dialler: "goClient",
    dialled: "ours",
  })),
  {
    name: "ours dials kite.js over a raw WebSocket",
    parts: ["node"],
    connect: () => weDial(() => Peer.kitejsServer(), { transport: "rawWebSocket" }),
    dialler: "ours",
    dialled: "kitejsServer",
  },
  {
    name: "ours uses a WebSocket to kite.js that exists already",
    parts: ["node"],
    connect: () => {
      const connect = (url: string) => webSocketSession(new WebSocket(raw(url)));
      return weDial(() => Peer.kitejsServer(), { connect });
    },
    dialler: "ours",
    dialled: "kitejsServer",
  },
  ...(["WebSocket", "XHRPolling"] as const).map((transport): Pairing => ({
    name: `ours dials kite.js over SockJS, ${transport}`,
    parts: ["node"],
    connect: () => weDial(kitejsSockJs, { transport }),
    dialler: "ours",
    dialled: "kitejsServer",
  })),
  {
    name: "kite.js dials ours over a raw WebSocket",
    parts: ["node"],
    connect: () => weServe((url) => Peer.kitejsClient(raw(url))),
    dialler: "kitejsClient",
    dialled: "ours",
  },
  ...["SockJS", "XHRPolling", "XHRStreaming"].map((transport): Pairing => ({
    name: `kite.js dials ours over ${transport}`,
    parts: ["node"],
    connect: () => weServe((url) => Peer.kitejsClient(url, "-transport", transport)),
    dialler: "kitejsClient",
    dialled: "ours",
  })),
];

for (const { name, parts, connect, dialler, dialled } of pairings) {
  Deno.test({
    name: `interop: ${name}`,
    ...skipUnless(...parts),
    fn: async () => {
      await using connection = await connect();
      await checkCalls(connection.dialler, dialled);
    },
  });

  Deno.test({
    name: `interop: ${name}, and is called`,
    ...skipUnless(...parts),
    fn: async () => {
      await using connection = await connect();
      await checkCalls(connection.dialled, dialler);
    },
  });
}
