import { IncomingConnection } from "../src/connection.ts";
import { RawJson } from "../src/rpc/raw_json.ts";
import type { RemoteKite } from "../src/rpc/remote.ts";
import { afterTurn } from "../src/runtime/turn.ts";
import type { EncodedText } from "../src/transport/encoded_text.ts";
import type { FairScheduler } from "./fair_scheduler.ts";

/** Answers with at least this many bytes are throttled. */
const LARGE = 65_536;

/** Maximum number of unsent bytes at which another large answer is sent. */
const MAX_UNSENT = 4_194_304;

/** Bytes that are copied and written in a millisecond. */
const PER_MILLISECOND = 2_000_000;

/** Milliseconds between two checks of the unsent bytes. */
const INTERVAL = 5;

/** Milliseconds to wait for the network; after that, the session's own limit applies. */
const MAX_WAIT = 10_000;

/**
 * Sends large answers on a connection one by one, as fast as the network accepts them. Otherwise a
 * caller with many concurrent queries would exceed the limit of unsent bytes, which ends the session.
 * Sending them counts as work of the user, since it takes longer than most steps.
 */
export class AnswerThrottle {
  readonly #scheduler: FairScheduler;
  readonly #last = new WeakMap<RemoteKite, Promise<void>>();

  constructor(scheduler: FairScheduler) {
    this.#scheduler = scheduler;
  }

  /**
   * Waits until an answer may be sent.
   *
   * @param username the user who asked
   * @param answer its text as in {@linkcode RawJson}
   */
  async admit(
    remote: RemoteKite,
    username: string,
    answer: EncodedText,
  ): Promise<RawJson> {
    if (answer.byteLength >= LARGE && remote instanceof IncomingConnection) {
      const previous = this.#last.get(remote) ?? Promise.resolve();
      const sending = answer.byteLength / PER_MILLISECOND;
      const admitted = previous.then(() => waitUntilSent(remote))
        .then(() => this.#scheduler.run(username, () => {}, sending));
      // The next answer waits until this one was handed to the connection.
      this.#last.set(remote, admitted.then(() => new Promise(afterTurn)));
      await admitted;
    }
    return new RawJson(answer);
  }
}

async function waitUntilSent(connection: IncomingConnection): Promise<void> {
  const end = performance.now() + MAX_WAIT;
  while (connection.unsentBytes > MAX_UNSENT && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  }
}
