// A server or a client of a library, on any runtime:
//   peer.mjs ours|capnweb serve PORT  |  peer.mjs ours|capnweb call PORT INFLIGHT WARMUP SECONDS
// The client prints one line of JSON: p50 (ms) and perSecond.
import process from "node:process";

const LIFETIME = 120_000;
const [library, role, port, ...numbers] = process.argv.slice(2);
setTimeout(() => process.exit(70), LIFETIME).unref();

const LIBRARIES = {
  ours: {
    async serve() {
      const { Kite } = await import("@kite/kite");
      const kite = new Kite("math", "1.0.0", {
        ...{ ip: "127.0.0.1", port: Number(port), kiteKey: "", logLevel: "FATAL" },
        disableAuthentication: true,
      });
      kite.handle("square", ({ args }) => args.one().number() ** 2);
      await kite.listen();
    },
    async connect() {
      const { Kite } = await import("@kite/kite");
      const kite = new Kite("exp2", "1.0.0", { kiteKey: "", logLevel: "FATAL" });
      const remote = kite.newClient(`http://127.0.0.1:${port}/kite`);
      await remote.dial();
      return () => remote.tell("square", 4);
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
      }
      const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port) });
      server.on("connection", (socket) => newWebSocketRpcSession(socket, new Math()));
    },
    async connect() {
      const { newWebSocketRpcSession } = await import("capnweb");
      const api = newWebSocketRpcSession(`ws://127.0.0.1:${port}/`);
      await api.square(4);
      return () => api.square(4);
    },
  },
};

async function call([inFlight, warmup, seconds]) {
  const square = await LIBRARIES[library].connect();
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
  const report = { p50: latencies[latencies.length >> 1], perSecond };
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
}

if (role === "serve") {
  process.stdin.on("end", () => process.exit(0)).resume();
  await LIBRARIES[library].serve();
} else {
  await call(numbers.map(Number));
}
