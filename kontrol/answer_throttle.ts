import { IncomingConnection } from "../src/connection.ts";
import { RawJson } from "../src/rpc/raw_json.ts";
import type { RemoteKite } from "../src/rpc/remote.ts";
import { afterTurn } from "../src/runtime/turn.ts";

/** Characters from which an answer counts as large. */
const LARGE = 65_536;

/** Bytes that may wait for the network before another large answer follows. */
const MOST_UNSENT = 4_194_304;

/** Milliseconds between two looks at what the network has taken. */
const INTERVAL = 5;

/** Milliseconds for which an answer waits for the network; then the session's own limit decides. */
const PATIENCE = 10_000;

/**
 * Hands large answers to each connection one after the other, as fast as the network takes them. A
 * caller may ask for more at once than what a session may hold unsent, which would end the session.
 */
export class AnswerThrottle {
  readonly #last = new WeakMap<RemoteKite, Promise<void>>();

  /**
   * The answer of this text, once there is room for it.
   *
   * @param escaped see {@linkcode RawJson}
   */
  async pass(remote: RemoteKite, escaped: string): Promise<RawJson> {
    if (escaped.length >= LARGE && remote instanceof IncomingConnection) {
      const before = this.#last.get(remote) ?? Promise.resolve();
      const room = before.then(() => waitForRoom(remote));
      // The next one looks when this one was sent.
      this.#last.set(remote, room.then(() => new Promise(afterTurn)));
      await room;
    }
    return new RawJson(escaped);
  }
}

async function waitForRoom(connection: IncomingConnection): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (connection.unsentBytes > MOST_UNSENT && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  }
}
