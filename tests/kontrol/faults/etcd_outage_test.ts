import { assert, assertEquals } from "@std/assert";
import { TestEtcd } from "../../support/etcd.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { etcdFlags, kiteOf, KontrolProcess, listedKite } from "./kontrol_process.ts";
import { print, QueryLoop, WatchRecorder } from "./observers.ts";
import { testOutage } from "./outage.ts";

const MEMBERS = [0, 1, 2];

/** Milliseconds within which an etcd cluster elects a new leader, with a margin. */
const ELECTION = 5_000;

Deno.test({
  name: "faults: Kontrol recovers when etcd loses a member, then all",
  ...skipUnless("etcd"),
  fn: async () => {
    await using cluster = await TestEtcd.start(3);
    const storage = etcdFlags(cluster);
    await using first = await KontrolProcess.start({ storage });
    await using second = await KontrolProcess.start({ storage });
    await loseOneEach(cluster, [first, second]);
    await testOutage([first, second], {
      name: "etcd",
      stop: async () => {
        await Promise.all(MEMBERS.map((member) => cluster.killMember(member)));
      },
      restart: async () => {
        await Promise.all(MEMBERS.map((member) => cluster.startMember(member)));
      },
    });
  },
});

/** Stops each member once, and so each leader, which must cause no more than a pause. */
async function loseOneEach(
  cluster: TestEtcd,
  kontrols: readonly [KontrolProcess, KontrolProcess],
): Promise<void> {
  const query = { name: "steady" };
  await using kite = await listedKite(kontrols, "steady");
  await using watch = new WatchRecorder(kiteOf(kontrols, "watcher"), query);
  await using queries = new QueryLoop(kiteOf(kontrols, "caller"), query, [kite.id]);
  await eventually(() => queries.good > 0 && watch.present.length === 1);
  for (const member of MEMBERS) {
    await cluster.killMember(member);
    queries.good = 0;
    await eventually(() => queries.good > 3, { withinMs: 10_000 });
    await using guest = await listedKite([kontrols[1]], "steady");
    await eventually(() => watch.present.includes(guest.id), { withinMs: 10_000 });
    await guest[Symbol.asyncDispose]();
    await eventually(() => watch.of(guest) === "REGISTER,DEREGISTER", { withinMs: 10_000 });
    await cluster.startMember(member);
  }
  print(`one member stopped: ${queries}`);
  assert(queries.longestGap < ELECTION, String(queries));
  assertEquals([queries.incomplete, watch.of(kite)], [0, "REGISTER"], String(queries));
}
