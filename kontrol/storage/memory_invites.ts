// deno-lint-ignore-file require-await -- the interface requires promises
import { MAX_INVITES, tooManyInvites } from "./check.ts";
import type { Invite, Invites } from "./storage.ts";

/** The invites in memory. */
export class MemoryInvites implements Invites {
  readonly #byId = new Map<string, Invite>();

  async add(invite: Invite): Promise<void> {
    for (const { id, expiresAt } of this.#byId.values()) {
      if (expiresAt <= Date.now()) this.#byId.delete(id);
    }
    if (this.#byId.size >= MAX_INVITES) throw tooManyInvites();
    this.#byId.set(invite.id, invite);
  }

  async redeem(id: string, username: string): Promise<boolean> {
    const invite = this.#byId.get(id);
    if (invite === undefined || invite.expiresAt <= Date.now()) return false;
    if (invite.username !== "" && invite.username !== username) return false;
    return this.#byId.delete(id);
  }
}
