import { DEFAULT_LIMITS } from "../protocol/limits.ts";
import { closeInfo } from "../transport/close_code.ts";
import { Inbox } from "../transport/inbox.ts";
import { Outbox } from "../transport/outbox.ts";
import type { CloseInfo, Session, SessionHandler } from "../transport/session.ts";
import { readMessage } from "./read_message.ts";

/**
 * Creates the two ends of a session in memory. What one end sends arrives at the other in a later turn
 * of the event loop, in order.
 *
 * @example
 * ```ts
 * import { memorySessions } from "@kite/kite/testing";
 *
 * const [here, there] = memorySessions();
 * const received = Promise.withResolvers<unknown>();
 * there.attach({ onMessage: received.resolve, onClose: () => {} });
 * here.send("hello");
 * console.assert(await received.promise === "hello");
 * here.close();
 * ```
 */
export function memorySessions(): [Session, Session] {
  const here = new MemorySession();
  const there = new MemorySession();
  here.connect(there);
  there.connect(here);
  return [here, there];
}

class MemorySession implements Session {
  readonly transport = "custom";
  readonly remoteAddress = "";
  readonly #inbox = new Inbox(
    DEFAULT_LIMITS.outgoingBytes,
    (code, reason) => this.close(code, reason),
  );
  readonly #outbox = new Outbox((messages) => {
    this.#unsent = 0;
    for (const message of messages) this.#peer?.receive(message);
  }, Infinity); // messages must not arrive inside of `send`
  #peer: MemorySession | undefined;
  #unsent = 0;
  #isOpen = true;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get bufferedAmount(): number {
    return this.#unsent;
  }

  attach(handler: SessionHandler): void {
    this.#inbox.attach(handler);
  }

  send(message: string): void {
    if (!this.#isOpen) return;
    this.#unsent += message.length;
    this.#outbox.push(message);
  }

  close(code?: number, reason?: string): void {
    const end = closeInfo(code, reason);
    if (!this.#isOpen) return;
    this.#outbox.flush();
    this.#inbox.drop();
    this.end(end);
    this.#peer?.end(end);
  }

  /** Connects this end to the other. */
  connect(peer: MemorySession): void {
    this.#peer = peer;
  }

  /** Receives a message of the other end. */
  receive(message: string): void {
    if (this.#isOpen) this.#inbox.deliver(readMessage(message));
  }

  /** Ends this end of the session. */
  end(info: CloseInfo): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#outbox.clear();
    this.#unsent = 0;
    this.#inbox.end(info);
  }
}
