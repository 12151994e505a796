// kite.js against kite.js over raw WebSocket, for comparison (Node; NODE_PATH names the folder of
// kite.js):  serve PORT  |  call PORT INFLIGHT WARMUP SECONDS
const { Kite, KiteServer } = require("kite.js");

const SILENT = -1;
const LIFETIME = 120_000;
const [role, port, ...numbers] = process.argv.slice(2);

setTimeout(() => process.exit(70), LIFETIME).unref();

function serve() {
  class Loopback extends KiteServer.transport.WebSocket {
    constructor(options) {
      super({ ...options, hostname: "127.0.0.1" });
    }
  }
  const server = new KiteServer({
    name: "math",
    auth: false,
    logLevel: SILENT,
    transportClass: Loopback,
    api: { square: (n, answer) => answer(null, n * n) },
  });
  server.listen(Number(port));
  process.stdin.on("end", () => process.exit(0)).resume();
}

async function call([inFlight, warmup, seconds]) {
  const kite = new Kite({
    url: `ws://127.0.0.1:${port}`,
    name: "exp2",
    logLevel: SILENT,
    autoConnect: false,
    autoReconnect: false,
    transportClass: Kite.transport.WebSocket,
  });
  await new Promise((resolve, reject) => {
    kite.on("open", resolve);
    kite.on("error", reject);
    kite.connect();
  });
  let stopped = false;
  let latencies = [];
  const caller = async () => {
    while (!stopped) {
      const start = performance.now();
      if (await kite.tell("square", [4]) !== 16) throw new Error("square of 4 is not 16");
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
  process.stdout.write(
    JSON.stringify({ p50: latencies[latencies.length >> 1], perSecond }) + "\n",
    () => process.exit(0),
  );
}

if (role === "serve") serve();
else call(numbers.map(Number));
