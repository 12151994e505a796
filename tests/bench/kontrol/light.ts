/**
 * A load generator on one connection that uses little CPU: it checks one answer, then sends prepared
 * calls and counts the answers in the bytes that arrive, without decoding them.
 *
 * `--port --pid (of Kontrol) --kitekey --mode=kites|token|force --results (of the query) --inflight
 * --warmup --seconds`; prints one line of JSON, {@linkcode RateReport}.
 *
 * @module
 */
import WebSocket from "ws";
import { printLine } from "../output.ts";
import { boundLifetime, PeerOptions } from "../peer.ts";
import { cpuMicroseconds } from "../usage.ts";
import { pause } from "../statistics.ts";
import { FrameRing, LightSocket, MarkerCounter } from "../websocket.ts";
import { callText, identity, readMessages, resultOf } from "./messages.ts";
import { queryFor, singleQueries } from "./population.ts";

/** The results of one run. */
export interface RateReport {
  readonly perSecond: number;
  /** CPU of Kontrol for one call, microseconds. */
  readonly serverMicros: number;
}

/** How often the ring of ready-made calls repeats. */
const DISTINCT_CALLS = 256;

const BUFFER_BYTES = 1_048_576;

/** Bytes that every successful answer contains once, and no error. */
const MARKERS = { kites: '\\"kites\\":[{', token: '\\"result\\":\\"ey' } as const;

/** The URL of a SockJS WebSocket. */
export function socketUrl(port: number, session: string): string {
  return `ws://127.0.0.1:${port}/kite/100/${session}/websocket`;
}

function checkFirst(text: string, mode: string, results: number): void {
  const [message] = readMessages(text);
  if (message === undefined) throw new Error("a frame without a message");
  const result = resultOf(message);
  if (mode !== "kites") {
    if (typeof result !== "string") throw new Error("the answer is no token");
    return;
  }
  const { kites } = result as { kites: { token: string; url: string }[] };
  const whole = kites.filter(({ token, url }) => token !== "" && url !== "");
  if (whole.length !== results) throw new Error(`${whole.length} kites, not ${results}`);
}

/** Makes one call and checks its answer. */
function checkOne(port: number, call: string, mode: string, results: number): Promise<void> {
  const socket = new WebSocket(socketUrl(port, "check"), { maxPayload: 64 << 20 });
  return new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("Kontrol ended the connection")));
    socket.on("message", (data: Uint8Array) => {
      const text = new TextDecoder().decode(data);
      if (text === "o") return socket.send(call);
      if (!text.startsWith("a")) return;
      try {
        checkFirst(text, mode, results);
        resolve();
      } catch (error) {
        reject(error);
      }
    });
  }).finally(() => socket.terminate());
}

/** Sends calls as answers arrive. Never resolves. */
async function drive(
  socket: LightSocket,
  calls: FrameRing,
  marker: MarkerCounter,
  inFlight: number,
  onAnswers: (count: number) => void,
): Promise<never> {
  for (let free = inFlight;;) {
    while (free > 0) {
      const { bytes, frames } = calls.take(free);
      await socket.write(bytes);
      free -= frames;
    }
    const count = await socket.count(marker);
    onAnswers(count);
    free += count;
  }
}

async function main(): Promise<void> {
  boundLifetime();
  const options = new PeerOptions(Deno.args);
  const [pid, mode, results] = [
    options.number("pid"),
    options.text("mode"),
    options.number("results"),
  ];
  const kiteKey = Deno.readTextFileSync(options.text("kitekey"));
  const kite = identity(crypto.randomUUID(), "load");
  const method = mode === "kites" ? "getKites" : "getToken";
  // Simultaneous requests for a token of the same name would share one token.
  const queries = mode === "force" ? singleQueries() : [queryFor(results)];
  const calls = Array.from({ length: DISTINCT_CALLS }, (_, index) => {
    const query = queries[index % queries.length];
    const argument = mode === "kites" ? { query } : { ...query, force: mode === "force" };
    return callText(method, argument, 100 + index, kite, kiteKey);
  });
  const port = options.number("port");
  await checkOne(port, calls[0]!, mode, results);
  const marker = new MarkerCounter(mode === "kites" ? MARKERS.kites : MARKERS.token);
  const socket = await LightSocket.open(port, "/kite/100/light/websocket", BUFFER_BYTES);
  let answers = 0;
  const failed = drive(
    socket,
    new FrameRing(calls),
    marker,
    options.number("inflight"),
    (count) => {
      answers += count;
    },
  );
  await Promise.race([failed, pause(options.number("warmup"))]);
  const before = { answers, cpu: cpuMicroseconds(pid), time: performance.now() };
  await Promise.race([failed, pause(options.number("seconds"))]);
  const count = answers - before.answers;
  if (count === 0) throw new Error("no answer came, or none was right");
  const report: RateReport = {
    perSecond: count / ((performance.now() - before.time) / 1_000),
    serverMicros: (cpuMicroseconds(pid) - before.cpu) / count,
  };
  printLine(JSON.stringify(report));
  Deno.exit(0);
}

if (import.meta.main) await main();
