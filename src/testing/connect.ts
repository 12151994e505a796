import type { Client } from "../client.ts";
import type { ClientOptions } from "../client_options.ts";
import type { Connection } from "../connection.ts";
import type { Kite } from "../kite.ts";
import { Faults } from "./faults.ts";
import { FaultySession } from "./faulty_session.ts";
import { memorySessions } from "./memory_session.ts";

/** Two kites that are connected in memory, see {@linkcode connectKites}. */
export interface ConnectedKites extends AsyncDisposable {
  /** The caller's client. It calls methods of the kite that serves. */
  readonly client: Client;
  /** The latest connection at the kite that serves. It calls methods of the caller. */
  readonly connection: Connection;
  /** Faults of messages from the caller to the kite that serves. */
  readonly toServing: Faults;
  /** Faults of messages from the kite that serves to the caller. */
  readonly toCaller: Faults;
  /**
   * Ends the connection as if the network had failed. A client with `reconnect` connects again.
   * Resolves when both kites have noticed.
   */
  lose(): Promise<void>;
  /** Closes the client, and with it the connection. The kites stay open. */
  close(): Promise<void>;
}

/**
 * Connects two kites in memory, without a socket. Calls, callbacks, streams and authentication work as
 * over any transport. Unless the option `compact` is true, each call and each answer is one message, so
 * that {@linkcode Faults} can be planned.
 *
 * @example
 * ```ts
 * import { Kite } from "@kite/kite";
 * import { connectKites } from "@kite/kite/testing";
 *
 * await using exp2 = new Kite("exp2", "1.0.0");
 * await using math = new Kite("math", "1.0.0", { disableAuthentication: true });
 * math.handle("square", ({ args }) => args.one().number() ** 2);
 *
 * await using kites = await connectKites(exp2, math);
 * console.assert(await kites.client.tell("square", 4) === 16);
 * ```
 *
 * @param caller the kite that calls; it owns the client
 * @param serving the kite that serves; it owns the connection
 * @param options options of the client, such as its authentication
 * @throws {KiteError} `configError` for an option that cannot be used; `aborted` or `limitError` if the
 * kite that serves accepts no session
 */
export async function connectKites(
  caller: Kite,
  serving: Kite,
  options: Omit<ClientOptions, "connect"> = {},
): Promise<ConnectedKites> {
  const kites = new MemoryConnection(caller, serving, options);
  await kites.client.dial();
  return kites;
}

class MemoryConnection implements ConnectedKites {
  readonly client: Client;
  readonly toServing = new Faults();
  readonly toCaller = new Faults();
  #connection: Connection | undefined;
  #session: FaultySession | undefined;

  constructor(caller: Kite, serving: Kite, options: ClientOptions) {
    const { name, id } = serving.identity;
    this.client = caller.newClient(`memory:${name}/${id}`, {
      compact: false,
      ...options,
      connect: () => {
        const [here, there] = memorySessions();
        this.#connection = serving.accept(there);
        const faults = { outgoing: this.toServing, incoming: this.toCaller };
        return this.#session = new FaultySession(here, faults);
      },
    });
  }

  get connection(): Connection {
    // The client has connected before anyone gets to see this object.
    return this.#connection!;
  }

  async lose(): Promise<void> {
    if (this.#session?.isOpen !== true) return;
    const noticed = [this.client, this.connection].map((end) =>
      new Promise<void>((resolve) => {
        const remove = end.onDisconnect(() => {
          remove();
          resolve();
        });
      })
    );
    this.#session.lose();
    await Promise.all(noticed);
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
