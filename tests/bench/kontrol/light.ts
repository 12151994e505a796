/**
 * A load generator on one connection that uses little CPU: it sends prepared calls, reads the first
 * answer, and only counts the others in the bytes.
 *
 * `--port --pid (of Kontrol) --kitekey --mode=kites|token|force --results (of the query) --inflight
 * --warmup --seconds`; prints one line of JSON, {@linkcode RateReport}.
 *
 * @module
 */
import { printLine } from "../output.ts";
import { boundLifetime, PeerOptions } from "../peer.ts";
import { cpuMicroseconds } from "../usage.ts";
import { pause } from "../statistics.ts";
import { callText, identity, readMessages, resultOf } from "./messages.ts";
import { queryFor, singleQueries } from "./population.ts";
import { AnswerCounter, RawSocket } from "./raw_socket.ts";

/** The results of one run. */
export interface RateReport {
  readonly perSecond: number;
  /** CPU of Kontrol for one call, microseconds. */
  readonly serverMicros: number;
}

/** How often the ring of ready-made calls repeats. */
const DISTINCT_CALLS = 256;

/** Bytes that every successful answer contains once, and no error. */
const MARKERS = { kites: '\\"kites\\":[{', token: '\\"result\\":\\"ey' } as const;

/** The path of SockJS WebSockets. */
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
  const marker = mode === "kites" ? MARKERS.kites : MARKERS.token;
  const socket = await RawSocket.open(options.number("port"), "light");
  let answers = 0;
  let sent = 0;
  const send = (count: number): void => {
    socket.send(Array.from({ length: count }, () => calls[sent++ % DISTINCT_CALLS]!));
  };
  const counter = new AnswerCounter(marker, (text) => checkFirst(text, mode, results));
  const failed = socket.read((bytes) => {
    const count = counter.count(bytes);
    answers += count;
    if (count > 0) send(count);
  });
  send(options.number("inflight"));
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
