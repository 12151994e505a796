import { assert, assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../mod.ts";
import { TaskQueue } from "../../kontrol/budgets.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import { afterTurn } from "../../src/runtime/turn.ts";
import { FairScheduler } from "../../kontrol/fair_scheduler.ts";
import {
  baseOf,
  connectTo,
  find,
  get,
  httpRegistration,
  identity,
  post,
  refused,
  startKontrol,
} from "./support.ts";

const URL = "http://127.0.0.1:3636/kite";

/** A scheduler with a clock that advances only in steps: `spin(2)` takes 2 ms. */
function createScheduler(): { scheduler: FairScheduler; spin: (milliseconds: number) => void } {
  let now = 0;
  return {
    scheduler: new FairScheduler(() => now),
    spin: (milliseconds) => void (now += milliseconds),
  };
}

Deno.test("FairScheduler: users take turns, and the steps of one user stay in order", async () => {
  const { scheduler, spin } = createScheduler();
  const done: string[] = [];
  const step = (user: string, number: number) =>
    scheduler.run(user, () => {
      spin(3);
      done.push(`${user}${number}`);
    });
  const all = [1, 2, 3, 4, 5].map((number) => step("a", number));
  // Two heavy users.
  all.push(step("b", 1), step("b", 2), step("c", 1), step("c", 2), step("b", 3));
  await Promise.all(all);
  assertEquals(done, ["a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "a4", "a5"]);
});

Deno.test("FairScheduler: a light user does not wait behind a heavy one", async () => {
  const { scheduler, spin } = createScheduler();
  const work = Array.from({ length: 20 }, () => scheduler.run("much", () => spin(2)));
  assertEquals(scheduler.waiting, 19, "one step of 2 ms uses up the slice");
  let done = 0;
  const step = (milliseconds: number) =>
    scheduler.run("little", () => {
      spin(milliseconds);
      done++;
    });
  const little = [step(0), step(1)];
  assertEquals([done, scheduler.waiting], [2, 19]);
  little.push(step(0));
  assertEquals([done, scheduler.waiting], [2, 20], "after a millisecond it waits like others");
  // The turn ends however many light users there are.
  const others = Array.from({ length: 10 }, (_, user) => scheduler.run(`${user}`, () => spin(4)));
  assertEquals(scheduler.waiting, 20 + 7);
  await Promise.all([...little, ...others, ...work]);
  assertEquals([done, scheduler.waiting], [3, 0]);
});

Deno.test("FairScheduler: the work that follows a step counts towards the turn", async () => {
  const { scheduler } = createScheduler();
  const work = Array.from({ length: 3 }, () => scheduler.run("a", () => {}, 2));
  assertEquals(scheduler.waiting, 2);
  await work[1];
  assertEquals(scheduler.waiting, 1);
  await Promise.all(work);
});

Deno.test("FairScheduler: the event loop keeps running however many steps are waiting", async () => {
  const { scheduler, spin } = createScheduler();
  const work = Array.from({ length: 200 }, () => scheduler.run("a", () => spin(1)));
  let left = scheduler.waiting;
  while (left > 0) {
    await new Promise<void>(afterTurn);
    assert(left - scheduler.waiting <= 10, `${left - scheduler.waiting} steps of 1 ms in one turn`);
    left = scheduler.waiting;
  }
  await Promise.all(work);
});

Deno.test("FairScheduler: a step that throws rejects its own promise, and the next step runs", async () => {
  const scheduler = new FairScheduler();
  const fail = (): number => {
    throw new KiteError("argumentError", "bad");
  };
  await assertRejects(() => scheduler.run("a", fail), KiteError, "bad");
  assertEquals(await scheduler.run("a", () => Promise.resolve(7)), 7);
});

Deno.test("TaskQueue: runs a limited number of tasks at a time, users in turn", async () => {
  const queue = new TaskQueue(2);
  const order: string[] = [];
  let running = 0;
  let most = 0;
  const task = (name: string) => async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    order.push(name);
    if (name === "a3") throw new Error("a3 fails");
  };
  const all = ["a1", "a2", "a3", "a4", "a5", "b1"].map((name) => queue.run(name[0]!, task(name)));
  assertEquals(queue.waiting, 4);
  const outcomes = await Promise.allSettled(all);
  assertEquals(most, 2);
  assert(order.indexOf("b1") <= 3, `b waited for all tasks of a: ${order}`);
  assertEquals(outcomes.map(({ status }) => status === "fulfilled"), [
    true,
    true,
    false,
    true,
    true,
    true,
  ]);
  assert(queue.isIdle);
});

/** The counter of refusals in Kontrol's metrics. */
async function refusals(url: string, budget: string): Promise<number> {
  const { text } = await get(`${url}/metrics`);
  return Number(text.match(new RegExp(`^kontrol_refused_${budget}_total (\\d+)$`, "m"))?.[1]);
}

Deno.test("budgets: watches and registrations of one user are limited over all connections", async () => {
  await using kontrol = await startKontrol({
    liveness: { disconnectGrace: 0 },
    budgets: { watches: 2, registrations: 2 },
  });
  const base = baseOf(kontrol);
  const lines = [await connectTo(kontrol, "one"), await connectTo(kontrol, "two")];
  const argument = { query: { name: "math" }, watchCallback: () => {} };
  const [{ client: one }, { client: two }] = lines as [typeof lines[0], typeof lines[0]];
  const { watcherID } = await one.tell<{ watcherID: string }>("getKites", argument);
  await two.tell("getKites", argument);
  await refused(
    () => two.tell("getKites", argument),
    "limitError",
    "Cannot start another watch: testuser has reached the limit of 2 (budgets.watches)",
  );
  await one.tell("cancelWatcher", watcherID);
  await two.tell("getKites", argument);
  await one.tell("register", URL);
  await one.tell("register", "http://127.0.0.1:3637/kite");
  const http = await httpRegistration(kontrol);
  assertEquals((await post(`${base}/register`, http)).status, 200);
  const message =
    "Cannot register another kite: testuser has reached the limit of 2 (budgets.registrations)";
  await refused(() => two.tell("register", URL), "limitError", message);
  const answer = await post(`${base}/register`, await httpRegistration(kontrol));
  assertEquals([answer.status, JSON.parse(answer.text)], [429, { err: message }]);
  const { client: other } = await connectTo(kontrol, "other", { username: "alice" });
  await other.tell("register", URL);
  await other.tell("getKites", argument);
  one.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await two.tell("register", URL);
  assertEquals([await refusals(base, "watches"), await refusals(base, "registrations")], [1, 2]);
});

Deno.test("budgets: calls and signatures of one user are limited, while others are served", async () => {
  const storage = new MemoryStorage();
  await using kontrol = await startKontrol({
    storage,
    budgets: { calls: 8, signatures: 20 },
  });
  const keyId = (await kontrol.kontrol.keys.own()).id;
  for (let i = 0; i < 30; i++) {
    await storage.upsert({ kite: identity({ environment: `e${i}` }), url: URL, keyId });
  }
  const { client } = await connectTo(kontrol, "caller", { username: "mallory" });
  await refused(
    () => client.tell("getKites", { query: { name: "math" } }),
    "requestLimitError",
    "Cannot sign another token: mallory has reached the limit of 20 (budgets.signatures)",
  );
  const { client: other } = await connectTo(kontrol, "caller", { username: "alice" });
  const outcomes = await Promise.all([
    ...Array.from(
      { length: 40 },
      (_, index) =>
        client.tell("getToken", {
          name: "kontrol",
          id: crypto.randomUUID(),
          version: `1.0.${index}`,
        })
          .catch(({ type, message }) => `${type}: ${message}`),
    ),
    find(other, { name: "kontrol" }).then(([kite]) => kite?.kite.name),
  ]);
  const tooMany =
    "requestLimitError: Cannot run another call: mallory has reached the limit of 8 " +
    "(budgets.calls)";
  const counts = Map.groupBy(outcomes, (outcome) => outcome);
  assertEquals(
    [...counts.keys()].sort(),
    ["kontrol", "genericError: no kites found", tooMany].sort(),
  );
  assertEquals(counts.get("genericError: no kites found")?.length, 8);
  const base = baseOf(kontrol);
  assertEquals([await refusals(base, "calls"), await refusals(base, "signatures")], [32, 10]);
});

Deno.test("metrics: the number of series is bounded, however many environments there are", async () => {
  const storage = new MemoryStorage();
  await using kontrol = await startKontrol({ storage });
  const keyId = (await kontrol.kontrol.keys.own()).id;
  for (let i = 0; i < 2_000; i++) {
    const environment = i < 500 ? "busy" : `e${i}`;
    await storage.upsert({ kite: identity({ environment }), url: URL, keyId });
  }
  const { text } = await get(`${baseOf(kontrol)}/metrics`);
  const lines = text.split("\n").filter((line) => line.startsWith("kontrol_kites{"));
  assertEquals(lines.length, 51);
  assert(lines.includes('kontrol_kites{environment="busy"} 500'));
  // Includes Kontrol's own registration.
  assert(lines.includes('kontrol_kites{environment="/other"} 1452'), lines.at(-1));
});
