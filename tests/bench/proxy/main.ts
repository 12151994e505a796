/**
 * `deno task bench proxy [--rounds=N] [--seconds=N] [--strict]`: measures the delay of a call
 * through the reverse proxy and through Go's reverse proxy in the same run, and the proxy's memory
 * for a large body.
 *
 * @module
 */
import { GO_PEER, lack } from "../../../tools/parts.ts";
import { fromFileUrl } from "../../../tools/paths.ts";
import { prepareParts } from "../../../tools/prepare.ts";
import { readEffort } from "../flags.ts";
import { printLine, reportLine } from "../output.ts";
import { denoProgram, freePort, runToEnd, type ServerProcess, startServer } from "../processes.ts";
import { median } from "../statistics.ts";
import type { BodyReport } from "./body.ts";
import { KITE_ID } from "./setting.ts";

/** What a call may add: in shares of a direct call, and of what it adds through Go's proxy. */
const MOST_OF_DIRECT = 1.2;
const MOST_OF_GO = 0.5;
/** KiB by which a large body may make the proxy grow: buffers and garbage, not the body. */
const MOST_GROWTH = 40_000;

interface Run {
  readonly transport: "WebSocket" | "XHRPolling";
  readonly inFlight: number;
}

const RUNS: readonly Run[] = [
  { transport: "WebSocket", inFlight: 1 },
  { transport: "XHRPolling", inFlight: 1 },
  { transport: "WebSocket", inFlight: 64 },
];

/**
 * Measures, and prints the results.
 *
 * @returns the exit code
 */
export async function benchProxy(words: string[]): Promise<number> {
  const { rounds, seconds, strict } = readEffort(words, 2);
  await prepareParts(["go"], reportLine);
  const goIsThere = lack("go") === undefined;
  const stack = new AsyncDisposableStack();
  try {
    const { ours, urls, origin } = await startAll(stack, goIsThere);
    const verdicts: boolean[] = [];
    for (const run of RUNS) {
      const found: number[][] = [];
      for (let round = 0; round < rounds; round++) {
        reportLine(`round ${round + 1} of ${rounds}: ${run.transport}, ${run.inFlight}`);
        found.push(
          await runToEnd<number[]>(denoProgram("proxy/client.ts", {
            urls: urls.join(","),
            seconds,
            transport: run.transport,
            inflight: run.inFlight,
          })),
        );
      }
      const medians = urls.map((_, index) => median(found.map((figures) => figures[index]!)));
      verdicts.push(...reportRun(run, medians));
    }
    verdicts.push(await measureBodies(origin, ours));
    return strict && verdicts.includes(false) ? 1 : 0;
  } finally {
    await stack.disposeAsync();
  }
}

/**
 * The programs, and the URLs to call: the kite itself, our proxy, and with Go its proxy and a
 * relay.
 */
async function startAll(
  stack: AsyncDisposableStack,
  goIsThere: boolean,
): Promise<{ ours: ServerProcess; urls: string[]; origin: string }> {
  const [kitePort, oursPort, goPort, relayPort] = [freePort(), freePort(), freePort(), freePort()];
  const ours = stack.use(
    await startServer(denoProgram("proxy/serve_proxy.ts", { port: oursPort }), oursPort),
  );
  if (goIsThere) {
    const args = ["reverseproxy", "-open", "-port", String(goPort)];
    stack.use(await startServer({ command: fromFileUrl(GO_PEER), args }, goPort));
  }
  const base = (port: number) => `http://127.0.0.1:${port}`;
  const kite = denoProgram("proxy/serve_kite.ts", {
    port: kitePort,
    ours: `${base(oursPort)}/kite`,
    ...(goIsThere ? { go: `${base(goPort)}/kite` } : {}),
  });
  stack.use(await startServer(kite, kitePort));
  const origin = `${base(oursPort)}/proxy/${KITE_ID}`;
  const urls = [`${base(kitePort)}/kite`, origin];
  if (goIsThere) {
    urls.push(`${base(goPort)}/proxy/${KITE_ID}`);
    const args = ["relay", "-port", String(relayPort), "-target", `127.0.0.1:${kitePort}`];
    stack.use(await startServer({ command: fromFileUrl(GO_PEER), args }, relayPort));
    urls.push(`${base(relayPort)}/kite`);
  }
  return { ours, urls, origin };
}

function reportRun({ transport, inFlight }: Run, [direct, ours, go, relay]: number[]): boolean[] {
  const title = `${transport}, ${inFlight} in flight`;
  if (inFlight > 1) {
    const theirs = go === undefined ? "" : `, through Go's proxy ${go.toFixed(0)}`;
    printLine(
      `${title}: calls/s direct ${direct!.toFixed(0)}, through our proxy ${
        ours!.toFixed(0)
      }${theirs}`,
    );
    return [];
  }
  const added = ours! - direct!;
  printLine(
    `${title}: p50 direct ${direct!.toFixed(3)} ms, through our proxy +${added.toFixed(3)} ms`,
  );
  const verdicts = [verdict("of a direct call", added / direct!, MOST_OF_DIRECT)];
  if (go !== undefined) {
    const least = `through a bare TCP relay +${(relay! - direct!).toFixed(3)} ms`;
    printLine(`  through Go's proxy +${(go - direct!).toFixed(3)} ms, ${least}`);
    verdicts.push(verdict("of what Go's proxy adds", added / (go - direct!), MOST_OF_GO));
  }
  return verdicts;
}

function verdict(what: string, share: number, most: number): boolean {
  const isGood = share <= most;
  printLine(`  ${share.toFixed(2)} ${what}, must be at most ${most}: ${isGood ? "met" : "MISSED"}`);
  return isGood;
}

/** Sends a large body each way through the proxy, and follows the proxy's memory. */
async function measureBodies(origin: string, { pid }: ServerProcess): Promise<boolean> {
  const program = denoProgram("proxy/body.ts", { url: `${origin}/body`, pid });
  const { growth, seconds } = await runToEnd<BodyReport>(program);
  const isGood = growth <= MOST_GROWTH;
  printLine(
    `2 × 100 MB in ${seconds.toFixed(1)} s: the proxy grew by ${
      (growth / 1_024).toFixed(1)
    } MiB, ` +
      `must be at most ${(MOST_GROWTH / 1_024).toFixed(0)}: ${isGood ? "met" : "MISSED"}`,
  );
  return isGood;
}
