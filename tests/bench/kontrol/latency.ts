/**
 * Measures how long this library's client waits for `getKites`, with several calls at a time.
 *
 * `--port --kitekey --results --inflight --warmup --seconds`; prints one line of JSON,
 * {@linkcode LatencyReport}.
 *
 * @module
 */
import { Kite } from "../../../mod.ts";
import { printLine } from "../output.ts";
import { boundLifetime, PeerOptions } from "../peer.ts";
import { median, pause } from "../statistics.ts";
import { USER } from "../credentials.ts";
import { queryFor } from "./population.ts";

/** The results of one run, milliseconds. */
export interface LatencyReport {
  readonly p50: number;
  readonly p99: number;
}

/** The value that 99 of 100 do not exceed. */
export function ninetyNinth(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? NaN;
}

async function main(): Promise<void> {
  boundLifetime();
  const options = new PeerOptions(Deno.args);
  const results = options.number("results");
  const kite = new Kite("exp2", "1.0.0", { username: USER });
  const remote = kite.newClient(`http://127.0.0.1:${options.number("port")}/kite`, {
    authentication: { type: "kiteKey", key: Deno.readTextFileSync(options.text("kitekey")) },
  });
  await remote.dial();
  let stopped = false;
  let latencies: number[] = [];
  const caller = async (): Promise<void> => {
    while (!stopped) {
      const start = performance.now();
      const { kites } = await remote.tell("getKites", { query: queryFor(results) }) as {
        kites: unknown[];
      };
      latencies.push(performance.now() - start);
      if (kites.length !== results) throw new Error(`${kites.length} kites, not ${results}`);
    }
  };
  const callers = Promise.all(Array.from({ length: options.number("inflight") }, caller));
  await Promise.race([callers, pause(options.number("warmup"))]);
  latencies = [];
  await Promise.race([callers, pause(options.number("seconds"))]);
  const report: LatencyReport = { p50: median(latencies), p99: ninetyNinth(latencies) };
  stopped = true;
  await callers;
  printLine(JSON.stringify(report));
  remote.close();
}

if (import.meta.main) await main();
