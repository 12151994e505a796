/**
 * Kites of all makes call each other for minutes, through two Kontrols that are restarted in turn.
 * Exits with 1 when a call failed for good, or a process of ours grew.
 *
 * `deno task soak [-minutes=5] [-restart=20]`: `restart` is the seconds between two restarts.
 *
 * @module
 */

import { fromFileUrl, TEST_LOCK } from "../../tools/paths.ts";
import { lack } from "../../tools/parts.ts";
import { residentKibibytes } from "../bench/usage.ts";
import { findAll, type Found, goKite } from "../interop/kontrol/setup.ts";
import { Peer } from "../interop/peers.ts";
import { KontrolProcess } from "../kontrol/faults/kontrol_process.ts";
import { TestProcess } from "../support/process.ts";
import { readFlags, runProgram, WrongFlag } from "../../tools/command_line.ts";
import { type Caller, directCallers, seeker } from "./peers.ts";
import type { Tally } from "./repeat.ts";

const USAGE = `Usage: deno task soak [-minutes=5] [-restart=20]

  -minutes  how long the kites call each other
  -restart  the seconds between two restarts of a Kontrol`;

/** What resident memory may come to at the end, as a multiple of the first minute's. */
const MOST_GROWTH = 1.3;

/** V8's young generation grows under load until it is large; what else grows would not be seen. */
const YOUNG_GENERATION = "--v8-flags=--max-semi-space-size=8";

const SAMPLE_INTERVAL = 1_000;
const MINUTE = 60_000;

/** Samples that the figures at the end come from. */
const LAST_SAMPLES = 15;

/** What a kite of ours says of itself; memory in bytes. */
interface KiteReport extends Pick<Tally, "calls" | "repeated" | "failures"> {
  readonly heapUsed: number;
  readonly heapTotal: number;
  readonly external: number;
}

/** One of our kites in its own process. */
interface OurKite {
  readonly name: string;
  readonly url: string;
  readonly process: TestProcess;
  readonly tally: () => KiteReport;
  /** Resident memory, KiB, a sample a second. */
  readonly resident: number[];
}

async function main(): Promise<boolean> {
  const { values } = readFlags(Deno.args, {
    minutes: { type: "string", default: "5" },
    restart: { type: "string", default: "20" },
  });
  const minutes = Number(values.minutes);
  for (const [name, value] of Object.entries(values)) {
    if (!(Number(value) > 0)) throw new WrongFlag(`-${name}`, value, "must be a number above 0");
  }
  const lacks = [lack("go"), lack("node")].filter((line) => line !== undefined);
  if (lacks.length > 0) throw new Error(`The soak needs ${lacks.join("; ")}`);
  await using stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "kite_soak_" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const storage = ["-storage=sqlite", `-sqlitefile=${directory}/kontrol.db`];
  const kontrols: KontrolProcess[] = [];
  for (let i = 0; i < 2; i++) kontrols.push(stack.use(await KontrolProcess.start({ storage })));

  const [first, second] = kontrols as [KontrolProcess, KontrolProcess];
  const kiteKey = await Deno.readTextFile(`${first.home}/kite.key`);
  const go = stack.use(await goKite(kiteKey));
  await go.call("registerForever");
  const kites = [
    stack.adopt(await ourKite("one", kontrols, ["two", "gopeer"]), stop),
    stack.adopt(await ourKite("two", [second, first], ["one", "gopeer"]), stop),
  ];
  const kitejs = stack.use(await Peer.kitejsKontrol(second.url, "-kitekey", kiteKey));
  const callers: Caller[] = [
    ...await directCallers(kites[0]!.url, stack),
    seeker("Go at Kontrol", go, () => findAll(go, { name: "one" })),
    seeker("kite.js at Kontrol", kitejs, async () => {
      const found = await kitejs.call("fetchKites", [{ query: { name: "two" } }]) as Found[];
      // The first one that it found stays connected; the others it never hangs up either.
      await kitejs.call("call", [0, "square", 8]);
      return found;
    }),
  ];

  const controller = new AbortController();
  const running = callers.map((caller) => caller.run(controller.signal));
  const end = performance.now() + minutes * MINUTE;
  const restarting = restart(kontrols, Number(values.restart) * 1_000, end);
  while (performance.now() < end) {
    for (const { process, resident } of kites) resident.push(residentKibibytes(process.pid));
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_INTERVAL));
  }
  const restarts = await restarting;
  controller.abort();
  await Promise.all(running);
  return report(kites, callers, restarts);
}

/** Restarts one Kontrol after the other, the first one orderly, the second one as after a crash. */
async function restart(
  kontrols: readonly KontrolProcess[],
  pause: number,
  end: number,
): Promise<number> {
  let restarts = 0;
  while (performance.now() + pause < end) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    await kontrols[restarts++ % kontrols.length]?.restart();
  }
  return restarts;
}

async function ourKite(
  name: string,
  kontrols: readonly KontrolProcess[],
  others: readonly string[],
): Promise<OurKite> {
  const urls = kontrols.map(({ url }) => url).join();
  const script = fromFileUrl(new URL("./kite.ts", import.meta.url));
  const process = await TestProcess.start({
    program: Deno.execPath(),
    args: [
      "run",
      "--quiet",
      "-A",
      TEST_LOCK,
      YOUNG_GENERATION,
      script,
      name,
      kontrols[0]!.home,
      urls,
      others.join(),
    ],
    ready: (line) => line.startsWith('{"url"'),
    startMs: 30_000,
  });
  let url = "";
  const nothing = { heapUsed: 0, heapTotal: 0, external: 0 };
  let tally: KiteReport = { calls: 0, repeated: 0, failures: [], ...nothing };
  process.onLine((line) => {
    if (line.startsWith('{"url"')) url = JSON.parse(line).url;
    else if (line.startsWith("{")) tally = JSON.parse(line);
    else console.error(`${name}: ${line}`);
  });
  return { name, url, process, tally: () => tally, resident: [] };
}

async function stop({ process }: OurKite): Promise<void> {
  await process.stop();
}

/**
 * Prints what happened.
 *
 * @returns whether all is well
 */
function report(
  kites: readonly OurKite[],
  callers: readonly Caller[],
  restarts: number,
): boolean {
  console.log(`${restarts} restarts of a Kontrol`);
  const tallies = [
    ...kites.map(({ name, tally }) => ({ name: `kite ${name}`, ...tally() })),
    ...callers.map(({ name, tally }) => ({ name, ...tally })),
  ];
  let isWell = true;
  for (const { name, calls, repeated, failures } of tallies) {
    console.log(`${name}: ${calls} calls, ${repeated} repeated, ${failures.length} failed`);
    for (const failure of failures.slice(0, 5)) console.log(`  ${failure}`);
    if (failures.length > 0 || calls === 0) isWell = false;
  }
  for (const { name, resident, tally } of kites) {
    const { heapUsed, heapTotal, external } = tally();
    const before = Math.max(...resident.slice(0, MINUTE / SAMPLE_INTERVAL));
    const last = resident.slice(-LAST_SAMPLES);
    const after = last.reduce((sum, each) => sum + each, 0) / last.length;
    const growth = after / before;
    console.log(
      `kite ${name}: ${mebibytes(before)} MiB in the first minute, ${
        mebibytes(after)
      } MiB at the ` +
        `end, ${growth.toFixed(2)} times as much; of it JavaScript's heap ` +
        `${mebibytes(heapTotal / 1_024)} MiB (${mebibytes(heapUsed / 1_024)} in use), buffers ` +
        `${mebibytes(external / 1_024)} MiB`,
    );
    if (growth > MOST_GROWTH) isWell = false;
  }
  return isWell;
}

function mebibytes(kibibytes: number): string {
  return (kibibytes / 1_024).toFixed(1);
}

await runProgram(USAGE, Deno.args, async () => await main() ? 0 : 1);
