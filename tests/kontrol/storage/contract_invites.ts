import { assertEquals } from "@std/assert";
import type { Invite } from "../../../kontrol/storage/storage.ts";
import { type Fixture, storageTest } from "./fixture.ts";

/** Adds the tests of invites. */
export function testInvites(fixture: Fixture): void {
  storageTest(fixture, "redeems an invite once", async ({ invites }) => {
    const one = invite();
    assertEquals(await invites.redeem(one.id, "alice"), false, "before it is added");
    await invites.add(one);
    await invites.add(invite());
    assertEquals(await invites.redeem(`${one.id}x`, "alice"), false);
    assertEquals(await invites.redeem(one.id, "alice"), true);
    assertEquals(await invites.redeem(one.id, "alice"), false);
  });

  storageTest(fixture, "redeems an invite only for its username", async ({ invites }) => {
    const forBob = invite({ username: "bob" });
    await invites.add(forBob);
    assertEquals(await invites.redeem(forBob.id, "alice"), false);
    assertEquals(await invites.redeem(forBob.id, "bob"), true);
  });

  storageTest(fixture, "refuses an expired invite", async ({ invites }) => {
    const late = invite({ expiresAt: Date.now() - 1 });
    await invites.add(late);
    assertEquals(await invites.redeem(late.id, "alice"), false);
    await invites.add(invite());
    assertEquals(await invites.redeem(late.id, "alice"), false);
  });

  if (!fixture.isShared) return;
  storageTest(fixture, "lets only one of several Kontrols redeem an invite", async (one, data) => {
    await using two = await data.open();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      const each = invite();
      await one.invites.add(each);
      ids.push(each.id);
    }
    for (const id of ids) {
      const tries = [one, two, one, two].map(({ invites }) => invites.redeem(id, "alice"));
      assertEquals((await Promise.all(tries)).filter((won) => won).length, 1);
    }
  });
}

function invite(fields: Partial<Invite> = {}): Invite {
  return { id: crypto.randomUUID(), username: "", expiresAt: Date.now() + 60_000, ...fields };
}
