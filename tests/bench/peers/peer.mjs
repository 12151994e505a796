// A server or a client of a library:
//   peer.mjs LIBRARY serve PORT
//   peer.mjs LIBRARY call PORT INFLIGHT WARMUP SECONDS
//   peer.mjs LIBRARY stream PORT ITEMS
// A client prints one line of JSON: p50 (ms) and perSecond.
import process from "node:process";

const LIFETIME = 120_000;
const HOST = "127.0.0.1";
const [library, role, portText, ...numbers] = process.argv.slice(2);
const port = Number(portText);
setTimeout(() => process.exit(70), LIFETIME).unref();

async function* count(to) {
  for (let n = 0; n < to; n++) yield n;
}

/** Each library: `serve`, and `connect`, which returns the functions `square` and, if any, `items`. */
const LIBRARIES = {
  ours: {
    async serve() {
      const { Kite } = await import("@kite/kite");
      const kite = new Kite("math", "1.0.0", {
        ...{ ip: HOST, port, kiteKey: "", logLevel: "FATAL" },
        disableAuthentication: true,
      });
      kite.handle("square", ({ args }) => args.one().number() ** 2);
      kite.handle("items", ({ args }) => count(args.one().number()));
      await kite.listen();
    },
    async connect() {
      const { Kite } = await import("@kite/kite");
      const kite = new Kite("exp2", "1.0.0", { kiteKey: "", logLevel: "FATAL" });
      const remote = kite.newClient(`http://${HOST}:${port}/kite`);
      await remote.dial();
      return {
        square: () => remote.tell("square", 4),
        items: async (to, onItem) => {
          for await (const item of await remote.tell("items", to)) onItem(item);
        },
      };
    },
  },
  "rpc-websockets": {
    async serve() {
      const { Server } = await import("rpc-websockets");
      const server = new Server({ host: HOST, port });
      server.register("square", ([n]) => n ** 2);
      server.event("item");
      server.register("items", ([to]) => {
        for (let n = 0; n < to; n++) server.emit("item", n);
        return to;
      });
      await new Promise((resolve) => server.on("listening", resolve));
    },
    async connect() {
      const { Client } = await import("rpc-websockets");
      const client = new Client(`ws://${HOST}:${port}`);
      await new Promise((resolve) => client.on("open", resolve));
      return {
        square: () => client.call("square", [4]),
        items: async (to, onItem) => {
          await client.subscribe("item");
          const last = new Promise((resolve) => {
            client.on("item", (item) => {
              onItem(item);
              if (item === to - 1) resolve();
            });
          });
          await client.call("items", [to], null);
          await last;
        },
      };
    },
  },
  capnweb: {
    async serve() {
      const { newWebSocketRpcSession, RpcTarget } = await import("capnweb");
      const { WebSocketServer } = await import("ws");
      class Math extends RpcTarget {
        square(n) {
          return n ** 2;
        }
        items(to) {
          return ReadableStream.from(count(to));
        }
      }
      const server = new WebSocketServer({ host: HOST, port });
      server.on("connection", (socket) => newWebSocketRpcSession(socket, new Math()));
    },
    async connect() {
      const { newWebSocketRpcSession } = await import("capnweb");
      const api = newWebSocketRpcSession(`ws://${HOST}:${port}/`);
      await api.square(4);
      return {
        square: () => api.square(4),
        items: async (to, onItem) => {
          for await (const item of await api.items(to)) onItem(item);
        },
      };
    },
  },
  "socket.io": {
    async serve() {
      const { Server } = await import("socket.io");
      const { createServer } = await import("node:http");
      const http = createServer();
      const server = new Server(http, { transports: ["websocket"] });
      server.on("connection", (socket) => {
        socket.on("square", (n, answer) => answer(n ** 2));
        socket.on("items", (to) => {
          for (let n = 0; n < to; n++) socket.emit("item", n);
        });
      });
      await new Promise((resolve) => http.listen(port, HOST, resolve));
    },
    async connect() {
      const { io } = await import("socket.io-client");
      const socket = io(`http://${HOST}:${port}`, { transports: ["websocket"] });
      await new Promise((resolve) => socket.on("connect", resolve));
      return {
        square: () => new Promise((resolve) => socket.emit("square", 4, resolve)),
        items: (to, onItem) =>
          new Promise((resolve) => {
            socket.on("item", (item) => {
              onItem(item);
              if (item === to - 1) resolve();
            });
            socket.emit("items", to);
          }),
      };
    },
  },
  trpc: {
    async serve() {
      const { initTRPC } = await import("@trpc/server");
      const { applyWSSHandler } = await import("@trpc/server/adapters/ws");
      const { WebSocketServer } = await import("ws");
      const t = initTRPC.create();
      const number = (value) => {
        if (typeof value !== "number") throw new TypeError("not a number");
        return value;
      };
      const router = t.router({
        square: t.procedure.input(number).query(({ input }) => input ** 2),
        items: t.procedure.input(number).subscription(({ input }) => count(input)),
      });
      applyWSSHandler({ wss: new WebSocketServer({ host: HOST, port }), router });
    },
    async connect() {
      const { createTRPCClient, createWSClient, wsLink } = await import("@trpc/client");
      const client = createWSClient({ url: `ws://${HOST}:${port}` });
      const trpc = createTRPCClient({ links: [wsLink({ client })] });
      return {
        square: () => trpc.square.query(4),
        items: (to, onItem) =>
          new Promise((resolve, reject) => {
            trpc.items.subscribe(to, { onData: onItem, onComplete: resolve, onError: reject });
          }),
      };
    },
  },
  orpc: {
    async serve() {
      const { os } = await import("@orpc/server");
      const { RPCHandler } = await import("@orpc/server/ws");
      const { WebSocketServer } = await import("ws");
      const handler = new RPCHandler({
        square: os.handler(({ input }) => input ** 2),
        items: os.handler(({ input }) => count(input)),
      });
      const server = new WebSocketServer({ host: HOST, port });
      server.on("connection", (socket) => handler.upgrade(socket, { context: {} }));
    },
    async connect() {
      const { createORPCClient } = await import("@orpc/client");
      const { RPCLink } = await import("@orpc/client/websocket");
      const websocket = new WebSocket(`ws://${HOST}:${port}`);
      await new Promise((resolve) => websocket.addEventListener("open", resolve));
      const client = createORPCClient(new RPCLink({ websocket }));
      return {
        square: () => client.square(4),
        items: async (to, onItem) => {
          for await (const item of await client.items(to)) onItem(item);
        },
      };
    },
  },
};

async function call({ square }, [inFlight, warmup, seconds]) {
  let stopped = false;
  let latencies = [];
  const caller = async () => {
    while (!stopped) {
      const start = performance.now();
      if (await square() !== 16) throw new Error("square of 4 is not 16");
      latencies.push(performance.now() - start);
    }
  };
  const pause = (length) => new Promise((resolve) => setTimeout(resolve, length * 1_000));
  const callers = Promise.all(Array.from({ length: inFlight }, caller));
  await Promise.race([callers, pause(warmup)]);
  latencies = [];
  const start = performance.now();
  await Promise.race([callers, pause(seconds)]);
  const perSecond = latencies.length / ((performance.now() - start) / 1_000);
  stopped = true;
  await callers;
  latencies.sort((a, b) => a - b);
  return { p50: latencies[latencies.length >> 1], perSecond };
}

/** Reads a stream, and measures all but its first fifth. */
async function stream({ items }, [to]) {
  let expected = 0;
  let start = 0;
  await items(to, (item) => {
    if (item !== expected++) throw new Error(`item ${item} instead of ${expected - 1}`);
    if (expected === to / 5) start = performance.now();
  });
  if (expected !== to) throw new Error(`${expected} items instead of ${to}`);
  return { p50: 0, perSecond: (to - to / 5) / ((performance.now() - start) / 1_000) };
}

if (role === "serve") {
  process.stdin.on("end", () => process.exit(0)).resume();
  await LIBRARIES[library].serve();
} else {
  const remote = await LIBRARIES[library].connect();
  const report = await (role === "call" ? call : stream)(remote, numbers.map(Number));
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
}
