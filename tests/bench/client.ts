/**
 * Measures this library's client.
 *
 * `--url --token --warmup --seconds [--compact=no]`, and `--mode=calls --inflight` | `--mode=sizes` |
 * `--mode=slow` | `--mode=typed --inflight` | `--mode=stream --items`; prints one line of JSON, {@linkcode ClientReport}.
 *
 * @module
 */
import { type Client, Kite, type RemoteStream } from "../../mod.ts";
import { USER } from "./credentials.ts";
import { printLine } from "./output.ts";
import { boundLifetime, PeerOptions } from "./peer.ts";
import { median, pause } from "./statistics.ts";
import { typed } from "./typed.ts";

/**
 * The results of one run. `calls`: `p50` (ms) and `perSecond`. `sizes`: the p50 by bytes of
 * argument,
 * `100`, `4096`, `65536`. `slow`: `fast`, how long a call took behind one of a second (ms).
 * `stream`:
 * `perSecond`, the items, and `grown`, the memory of the client at the end beyond that after a
 * fifth of the items (MiB).
 */
export type ClientReport = Readonly<Record<string, number>>;

const SIZES = [100, 4_096, 65_536] as const;
const SLOW_CALL = 1_000;
const SLOW_ROUNDS = 3;

/** Measures calls of `square` with 4, so many at a time. */
export async function measureCalls(
  square: () => Promise<unknown>,
  inFlight: number,
  warmup: number,
  seconds: number,
): Promise<ClientReport> {
  let stopped = false;
  let latencies: number[] = [];
  const caller = async (): Promise<void> => {
    while (!stopped) {
      const start = performance.now();
      if (await square() !== 16) throw new Error("square of 4 is not 16");
      latencies.push(performance.now() - start);
    }
  };
  const callers = Promise.all(Array.from({ length: inFlight }, caller));
  await Promise.race([callers, pause(warmup)]);
  latencies = [];
  const start = performance.now();
  await Promise.race([callers, pause(seconds)]);
  const perSecond = latencies.length / ((performance.now() - start) / 1_000);
  stopped = true;
  await callers;
  return { p50: median(latencies), perSecond };
}

async function sizes(remote: Client, warmup: number, seconds: number): Promise<ClientReport> {
  const report: Record<string, number> = {};
  for (const size of SIZES) {
    const argument = "x".repeat(size);
    const measure = async (bound: number): Promise<number[]> => {
      const latencies: number[] = [];
      const end = performance.now() + bound * 1_000 / SIZES.length;
      while (performance.now() < end) {
        const start = performance.now();
        if (await remote.tell("size", argument) !== size) throw new Error("size is wrong");
        latencies.push(performance.now() - start);
      }
      return latencies;
    };
    await measure(warmup);
    report[size] = median(await measure(seconds));
  }
  return report;
}

async function slow(remote: Client): Promise<ClientReport> {
  const latencies: number[] = [];
  for (let round = 0; round < SLOW_ROUNDS; round++) {
    const slowCall = remote.tell("slow", SLOW_CALL);
    const start = performance.now();
    if (await remote.tell("square", 4) !== 16) throw new Error("square of 4 is not 16");
    latencies.push(performance.now() - start);
    await slowCall;
    if (performance.now() - start < SLOW_CALL * 0.9) throw new Error("the slow call was not slow");
  }
  return { fast: Math.max(...latencies) };
}

async function stream(remote: Client, items: number): Promise<ClientReport> {
  const first = items / 5;
  let start = 0;
  let memory = 0;
  let count = 0;
  for await (const item of await remote.tell<RemoteStream<number>>("items", items)) {
    if (item !== count++) throw new Error(`item ${item} came in place of ${count - 1}`);
    if (count !== first) continue;
    memory = Deno.memoryUsage().rss;
    start = performance.now();
  }
  if (count !== items) throw new Error(`${count} items came, not ${items}`);
  const seconds = (performance.now() - start) / 1_000;
  const grown = Math.max(0, Deno.memoryUsage().rss - memory) / 1_048_576;
  return { perSecond: (items - first) / seconds, grown };
}

function typedCall(remote: Client): () => Promise<number> {
  const api = remote.as(typed);
  return () => api.typedSquare(4);
}

async function main(): Promise<void> {
  boundLifetime();
  const options = new PeerOptions(Deno.args);
  const kite = new Kite("exp2", "1.0.0", { username: USER });
  const authentication = { type: "token", key: options.text("token") };
  const remote = kite.newClient(options.text("url"), {
    authentication,
    compact: options.find("compact") !== "no",
  });
  await remote.dial();
  const [warmup, seconds] = [options.number("warmup"), options.number("seconds")];
  const mode = options.text("mode");
  const report = mode === "sizes"
    ? await sizes(remote, warmup, seconds)
    : mode === "slow"
    ? await slow(remote)
    : mode === "stream"
    ? await stream(remote, options.number("items"))
    : await measureCalls(
      mode === "typed" ? typedCall(remote) : () => remote.tell("square", 4),
      options.number("inflight"),
      warmup,
      seconds,
    );
  printLine(JSON.stringify(report));
  remote.close();
}

if (import.meta.main) await main();
