/**
 * Calls the kite in turn directly and through each proxy, in short blocks, so that whatever else the
 * machine does falls on all of them alike: `--urls=A,B,C --seconds --transport --inflight`.
 * Prints the p50 (ms) or, with more than one call in flight, the calls per second of each URL.
 *
 * @module
 */
import { type Client, type ClientTransport, Kite } from "../../../mod.ts";
import { printLine } from "../output.ts";
import { boundLifetime, PeerOptions } from "../peer.ts";
import { median } from "../statistics.ts";

const BLOCK = 100;
const WARMUP_ROUNDS = 6;

boundLifetime();
const options = new PeerOptions(Deno.args);
const inFlight = options.number("inflight");
const caller = new Kite("caller", "1.0.0", { kiteKey: "", logLevel: "FATAL" });
const remotes: Client[] = [];
for (const url of options.text("urls").split(",")) {
  const remote = caller.newClient(url, { transport: options.text("transport") as ClientTransport });
  await remote.dial();
  remotes.push(remote);
}
const latencies = remotes.map((): number[] => []);
const spent = remotes.map(() => 0);
const done = remotes.map(() => 0);
let end = Infinity;
for (let round = 0; performance.now() < end; round++) {
  if (round === WARMUP_ROUNDS) end = performance.now() + options.number("seconds") * 1_000;
  for (const [index, remote] of remotes.entries()) {
    const started = performance.now();
    let left = BLOCK * inFlight;
    await Promise.all(Array.from({ length: inFlight }, async () => {
      while (left-- > 0) {
        const start = performance.now();
        if (await remote.tell("square", 4) !== 16) throw new Error("square of 4 is not 16");
        if (round >= WARMUP_ROUNDS && inFlight === 1) {
          latencies[index]!.push(performance.now() - start);
        }
      }
    }));
    if (round < WARMUP_ROUNDS) continue;
    spent[index]! += performance.now() - started;
    done[index]! += BLOCK * inFlight;
  }
}
printLine(JSON.stringify(
  inFlight === 1
    ? latencies.map(median)
    : done.map((count, index) => count / (spent[index]! / 1_000)),
));
Deno.exit(0);
