import { assert, assertEquals } from "@std/assert";
import { TestEtcd } from "../../support/etcd.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { etcdFlags, kiteOf, KontrolProcess, listedKite } from "./kontrol_process.ts";
import { QueryLoop, tell, WatchRecorder } from "./observers.ts";
import { testOutage } from "./outage.ts";

const MEMBERS = [0, 1, 2];

/** Milliseconds for which an etcd cluster may be without a leader, and some more. */
const ELECTION = 5_000;

Deno.test({
  name: "faults: etcd loses a member, then all, and Kontrol heals by itself",
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

/** Each member goes once, and so each leader: nobody notices more than a pause. */
async function loseOneEach(
  cluster: TestEtcd,
  kontrols: readonly [KontrolProcess, KontrolProcess],
): Promise<void> {
  const query = { name: "steady" };
  await using kite = await listedKite(kontrols, "steady");
  await using witness = new WatchRecorder(kiteOf(kontrols, "witness"), query);
  await using seeker = new QueryLoop(kiteOf(kontrols, "seeker"), query, [kite.id]);
  await eventually(() => seeker.good > 0 && witness.present.length === 1);
  for (const member of MEMBERS) {
    await cluster.killMember(member);
    seeker.good = 0;
    await eventually(() => seeker.good > 3, { withinMs: 10_000 });
    await using guest = await listedKite([kontrols[1]], "steady");
    await eventually(() => witness.present.includes(guest.id), { withinMs: 10_000 });
    await guest[Symbol.asyncDispose]();
    await eventually(() => witness.of(guest) === "REGISTER,DEREGISTER", { withinMs: 10_000 });
    await cluster.startMember(member);
  }
  tell(`a member gone: ${seeker}`);
  assert(seeker.longestGap < ELECTION, String(seeker));
  assertEquals([seeker.incomplete, witness.of(kite)], [0, "REGISTER"], String(seeker));
}
