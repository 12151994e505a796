/**
 * Cancels a call through two kites, and gives another one a deadline: `deno run -A examples/cancel.ts`.
 */
import { Kite, KiteError } from "../mod.ts";

// A worker that counts until it is told to stop.
const worker = new Kite("worker", "1.0.0", { ip: "127.0.0.1" }).disableAuthentication();
const stopped = Promise.withResolvers<void>();
worker.handle("count", async ({ args, signal, meta }) => {
  const [progress] = args.sliceOfLength(1);
  const report = progress!.function();
  for (let count = 1; !signal.aborted; count++) {
    report(count);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.log(`${meta.job}: ${(signal.reason as KiteError).type}`);
  stopped.resolve();
});
await using workerServer = await worker.listen();

// A manager that passes the work on: its own call ends with the request that it serves.
const manager = new Kite("manager", "1.0.0", { ip: "127.0.0.1" }).disableAuthentication();
await using toWorker = manager.newClient(workerServer.url);
await toWorker.dial();
manager.handle("work", (request) => {
  const progress = request.args.one().function();
  return toWorker.tellWith({ within: request }, "count", progress);
});
manager.handle("left", ({ deadline }) => Math.round((deadline! - Date.now()) / 1_000));
await using managerServer = await manager.listen();

await using boss = new Kite("boss", "1.0.0").newClient(managerServer.url);
await boss.dial();
console.log(`the manager has ${await boss.tellWith({ timeout: 60_000 }, "left")} s`);

const abort = new AbortController();
const call = boss.tellWith(
  { signal: abort.signal, meta: { job: "counting" } },
  "work",
  (n: number) => {
    console.log(`step ${n}`);
    if (n === 3) abort.abort();
  },
);
try {
  await call;
} catch (error) {
  if (!(error instanceof KiteError)) throw error;
  console.log(error.message);
}
await stopped.promise;
