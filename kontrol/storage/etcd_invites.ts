import type { EtcdClient } from "./etcd_client.ts";
import type { Invite, Invites, OperationOptions } from "./storage.ts";

/** The invites in etcd: `/kites.invites/<id>`, each with a lease until it expires. */
export class EtcdInvites implements Invites {
  readonly #client: EtcdClient;
  readonly #prefix: string;

  /** @param prefix the prefix of all keys, such as `/kites` */
  constructor(client: EtcdClient, prefix: string) {
    this.#client = client;
    this.#prefix = `${prefix}.invites/`;
  }

  async add(invite: Invite, options?: OperationOptions): Promise<void> {
    const what = "add an invite";
    const seconds = Math.max(1, Math.ceil((invite.expiresAt - Date.now()) / 1_000));
    const lease = await this.#client.run(
      what,
      options,
      (member, call) => member.grantLease(seconds, call),
    );
    const put = `${this.#prefix}${invite.id}`;
    const steps = [{ put, value: JSON.stringify(invite), lease }];
    await this.#client.run(what, options, (member, call) => member.transact({ steps }, call));
  }

  async redeem(id: string, username: string, options?: OperationOptions): Promise<boolean> {
    const what = "redeem an invite";
    const key = `${this.#prefix}${id}`;
    const [entry] = (await this.#client.range(what, { key }, options)).entries;
    if (entry === undefined) return false;
    const invite: Invite = JSON.parse(entry.value);
    if (invite.expiresAt <= Date.now() || !["", username].includes(invite.username)) return false;
    const { succeeded } = await this.#client.run(what, options, (member, call) =>
      member.transact({
        conditions: [{ key, changedAt: entry.revision }],
        steps: [{ delete: key }],
      }, call));
    return succeeded;
  }
}
