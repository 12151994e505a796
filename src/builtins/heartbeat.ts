import type { Callback } from "../dnode/scrub.ts";
import { cannotUse } from "../protocol/refusal.ts";
import type { RemoteKite } from "../rpc/remote.ts";
import type { KiteRequest } from "../rpc/request.ts";

/** The longest heartbeat interval, seconds: one day. */
const LONGEST_INTERVAL = 86_400;

/** Implements `kite.heartbeat(seconds, ping)`: calls `ping()` immediately and at that interval. */
export class Heartbeats {
  /** One timer per session: a further request replaces the previous one. */
  readonly #timers = new Map<RemoteKite, ReturnType<typeof setInterval>>();

  /** Serves `kite.heartbeat`. */
  readonly handle = ({ args, client }: KiteRequest): null => {
    const [interval, ping] = args.sliceOfLength(2);
    const seconds = interval.number();
    if (!(seconds >= 1 && seconds <= LONGEST_INTERVAL)) {
      const rule = `must be a number of seconds from 1 to ${LONGEST_INTERVAL}`;
      throw cannotUse("heartbeat interval", rule, { value: seconds, type: "argumentError" });
    }
    this.#start(client, seconds, ping.function());
    return null;
  };

  /** Stops all heartbeats. */
  stop(): void {
    for (const timer of this.#timers.values()) clearInterval(timer);
    this.#timers.clear();
  }

  #start(client: RemoteKite, seconds: number, ping: Callback): void {
    const former = this.#timers.get(client);
    clearInterval(former);
    if (former === undefined) {
      const remove = client.onDisconnect(() => {
        remove();
        clearInterval(this.#timers.get(client));
        this.#timers.delete(client);
      });
    }
    this.#timers.set(client, setInterval(ping, seconds * 1000));
    ping();
  }
}
