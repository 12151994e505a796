/**
 * A kite of the soak in a process of its own: `kite.ts <name> <home> <Kontrols' URLs> <names to call>`.
 * It registers, and then finds and calls the others until it is stopped. It prints its URL, and
 * then every few seconds what became of its calls, as a line of JSON.
 *
 * @module
 */
import { Kite, KiteError } from "../../mod.ts";
import { ourKite } from "../interop/our_kite.ts";
import { Tally } from "./repeat.ts";

/** Milliseconds between two rounds of calls. */
const PAUSE = 50;

const REPORT_INTERVAL = 2_000;

const [name = "", kiteHome = "", kontrolUrls = "", others = ""] = Deno.args;
const kite = ourKite({
  kiteHome,
  kiteKey: await Deno.readTextFile(`${kiteHome}/kite.key`),
  kontrolUrl: kontrolUrls.split(","),
  environment: "soak",
  disableAuthentication: false,
}, name);
// For those of the soak that call without a Kontrol.
kite.handle("open", ({ args }) => args.one().number() ** 2).disableAuthentication();
const { url } = await kite.listen();
await kite.register(url);
console.log(JSON.stringify({ url }));

const tally = new Tally();
setInterval(() => {
  const { heapUsed, heapTotal, external } = Deno.memoryUsage();
  console.log(JSON.stringify({ ...tally, heapUsed, heapTotal, external }));
}, REPORT_INTERVAL);
await using watcher = new Kite(`${name}-watcher`, "1.0.0", {
  kiteKey: kite.config.kiteKey ?? "",
  kontrolUrl: kontrolUrls.split(","),
  logLevel: "FATAL",
});
void follow(watcher);

const text = "x".repeat(2_000);
for (let round = 0;; round++) {
  const target = others.split(",")[round % 2] ?? "";
  const transport = round % 4 < 2 ? "WebSocket" : "XHRPolling";
  await tally.call(`${name} calls ${target}`, () => findAndCall(target, transport), isPassing);
  await new Promise((resolve) => setTimeout(resolve, PAUSE));
}

/** Finds a kite, dials it, calls it in every way, and hangs up. */
async function findAndCall(target: string, transport: "WebSocket" | "XHRPolling"): Promise<void> {
  const [found] = await kite.getKites({ name: target });
  if (found === undefined) throw new KiteError("genericError", "no kites found");
  await using remote = kite.newClient(found.url, { transport });
  remote.authentication = found.authentication;
  await remote.dial();
  const answers = await Promise.all([
    remote.tell<number>("square", 12),
    remote.tell<string[]>("echo", text),
    remote.tell<string>("callback", 4, () => {}),
  ]);
  if (answers[0] !== 144) throw new Error(`square is ${answers[0]}`);
}

async function follow(watcher: Kite): Promise<void> {
  await using watch = watcher.watchKites({ environment: "soak" });
  for await (const _change of watch);
}

/** While a Kontrol restarts, connections are lost and new ones fail for a while. */
function isPassing(error: unknown): boolean {
  return error instanceof KiteError && error.type !== "authenticationError";
}
