import type { Callback } from "../dnode/scrub.ts";
import { KiteError } from "../protocol/errors.ts";
import type { RemoteKite } from "../rpc/remote.ts";
import type { KiteRequest } from "../rpc/request.ts";

/** Seconds; a day. */
const LONGEST_INTERVAL = 86_400;

/** `kite.heartbeat(seconds, ping)`: calls `ping()` at once and then every so many seconds. */
export class Heartbeats {
  /** One timer a session: asking again replaces the former request. */
  readonly #timers = new Map<RemoteKite, ReturnType<typeof setInterval>>();

  /** Serves `kite.heartbeat`. */
  readonly handle = ({ args, client }: KiteRequest): null => {
    const [interval, ping] = args.sliceOfLength(2);
    const seconds = interval.number();
    if (!(seconds >= 1 && seconds <= LONGEST_INTERVAL)) {
      const right = `1 to ${LONGEST_INTERVAL} seconds`;
      throw new KiteError("argumentError", `heartbeat interval must be ${right}, got ${seconds}`);
    }
    this.#start(client, seconds, ping.function());
    return null;
  };

  /** Stops them all. */
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
