/**
 * Sends a large body to the kite and receives one, through the proxy, and follows the memory of the
 * proxy's process: `--url --pid`.
 *
 * @module
 */
import { printLine } from "../output.ts";
import { boundLifetime, PeerOptions } from "../peer.ts";
import { residentKibibytes } from "../usage.ts";
import { BODY_BYTES } from "./setting.ts";

/** What was found: KiB by which the proxy grew after a first round, and the seconds of the second one. */
export interface BodyReport {
  readonly growth: number;
  readonly seconds: number;
}

const SAMPLE_INTERVAL = 20;

boundLifetime();
const options = new PeerOptions(Deno.args);
const url = options.text("url");
const pid = options.number("pid");

// The first round brings the proxy to its working size; the second shows that it stays there.
await transfer();
const before = residentKibibytes(pid);
let most = before;
setInterval(() => most = Math.max(most, residentKibibytes(pid)), SAMPLE_INTERVAL);
const start = performance.now();
await transfer();
const report: BodyReport = {
  growth: most - before,
  seconds: (performance.now() - start) / 1_000,
};
printLine(JSON.stringify(report));
Deno.exit(0);

/** Sends one body each way. */
async function transfer(): Promise<void> {
  let left = BODY_BYTES;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (left <= 0) return controller.close();
      const piece = new Uint8Array(Math.min(left, 65_536));
      left -= piece.length;
      controller.enqueue(piece);
    },
  });
  const sent = Number(await (await fetch(url, { method: "POST", body })).text());
  let received = 0;
  for await (const piece of (await fetch(url)).body ?? []) received += piece.length;
  if (sent !== BODY_BYTES || received !== BODY_BYTES) throw new Error("a body was cut");
}
