import { Timer } from "../runtime/timer.ts";
import { textOf } from "../transport/message.ts";
import type { CloseInfo, Session, SessionHandler, TransportName } from "../transport/session.ts";
import type { Faults } from "./faults.ts";
import { readMessage } from "./read_message.ts";

/** The faults of a {@linkcode FaultySession}, for each direction. */
export interface SessionFaults {
  /** Faults of messages that this end sends. */
  readonly outgoing?: Faults;
  /** Faults of messages that this end receives. */
  readonly incoming?: Faults;
}

/**
 * A session that loses, delays, reorders, duplicates or halves messages of another session on command.
 * Messages that are still delayed when the session ends are lost.
 *
 * @example
 * ```ts
 * import { Faults, FaultySession, memorySessions } from "@kite/kite/testing";
 *
 * const outgoing = new Faults();
 * const [end, there] = memorySessions();
 * const here = new FaultySession(end, { outgoing });
 * const received: unknown[] = [];
 * const closed = Promise.withResolvers<void>();
 * there.attach({
 *   onMessage: (message) => received.push(message),
 *   onClose: () => closed.resolve(),
 * });
 * outgoing.drop();
 * for (const message of ["one", "two", "three"]) here.send(message);
 * here.close();
 * await closed.promise;
 * console.assert(received.join() === "two,three");
 * ```
 */
export class FaultySession implements Session {
  readonly #session: Session;
  readonly #incoming: Faults | undefined;
  readonly #outgoing: FaultyDirection | undefined;
  #received: FaultyDirection | undefined;
  #handler: SessionHandler | undefined;
  #isLost = false;

  /**
   * Wraps a session. Use the result in its place.
   *
   * @param session the session that carries the messages
   */
  constructor(session: Session, { outgoing, incoming }: SessionFaults = {}) {
    this.#session = session;
    this.#incoming = incoming;
    this.#outgoing = outgoing && new FaultyDirection(outgoing, (text) => session.send(text));
  }

  /** The transport of the session that carries the messages. */
  get transport(): TransportName {
    return this.#session.transport;
  }

  /** The peer's address, or `""` if unknown. */
  get remoteAddress(): string {
    return this.#session.remoteAddress;
  }

  /** False as soon as the session begins to close. */
  get isOpen(): boolean {
    return !this.#isLost && this.#session.isOpen;
  }

  /** Bytes (estimated) that are not on the way yet, without those that are delayed on command. */
  get bufferedAmount(): number {
    return this.#session.bufferedAmount;
  }

  /** Sets the handler of messages and of the end. Call it once. */
  attach(handler: SessionHandler): void {
    this.#handler = handler;
    const deliver = (message: string): void => {
      try {
        handler.onMessage(readMessage(message));
      } catch {
        this.close(1011, "the message handler failed");
      }
    };
    this.#received = this.#incoming && new FaultyDirection(this.#incoming, deliver);
    this.#session.attach({
      onMessage: (message) => {
        if (this.#isLost) return;
        const text = textOf(message);
        if (this.#received === undefined) deliver(text);
        else this.#received.send(text);
      },
      onClose: (info) => this.#ended(info),
    });
  }

  /** Sends the text of one message, unless a fault prevents it. */
  send(message: string): void {
    if (this.#isLost) return;
    if (this.#outgoing === undefined) this.#session.send(message);
    else this.#outgoing.send(message);
  }

  /** Ends the session. */
  close(code?: number, reason?: string): void {
    this.#outgoing?.stop();
    this.#session.close(code, reason);
  }

  /** Ends the session with code 1006 at this end, as if the network had failed. */
  lose(): void {
    const reason = "the connection was lost";
    this.#ended({ code: 1006, reason });
    this.#session.close(3000, reason);
  }

  #ended(info: CloseInfo): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#outgoing?.stop();
    this.#received?.stop();
    queueMicrotask(() => this.#handler?.onClose(info));
  }
}

/** Applies faults to the messages of one direction of one session. */
class FaultyDirection {
  readonly #faults: Faults;
  readonly #deliver: (message: string) => void;
  /** Messages that wait: delayed ones, and those behind them. */
  #waiting: { readonly message: string; readonly delay: number }[] = [];
  #timer: Timer | undefined;
  #reversed: string[] = [];
  #isStopped = false;

  constructor(faults: Faults, deliver: (message: string) => void) {
    this.#faults = faults;
    this.#deliver = deliver;
  }

  send(message: string): void {
    const fault = this.#faults.next();
    switch (fault?.kind) {
      case undefined:
        return this.#pass(message);
      case "drop":
        return;
      case "duplicate":
        this.#pass(message);
        return this.#pass(message);
      case "halve":
        return this.#pass(message.slice(0, Math.floor(message.length / 2)));
      case "delay":
        return this.#pass(message, fault.milliseconds);
      case "reverse":
        return this.#reverse(message, fault.count);
    }
  }

  /** Loses the messages that wait. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.clear();
    this.#waiting = [];
    this.#reversed = [];
  }

  #pass(message: string, delay: number = 0): void {
    if (this.#isStopped) return;
    if (this.#waiting.length === 0 && delay === 0) return this.#deliver(message);
    this.#waiting.push({ message, delay });
    if (this.#waiting.length === 1) this.#wait();
  }

  /** Waits for the first message, then delivers it and those behind it up to the next delay. */
  #wait(): void {
    this.#timer = new Timer(() => {
      do this.#deliver(this.#waiting.shift()!.message); while (this.#waiting[0]?.delay === 0);
      if (this.#waiting.length > 0) this.#wait();
    }, this.#waiting[0]!.delay);
  }

  #reverse(message: string, count: number): void {
    this.#reversed.push(message);
    if (this.#reversed.length < count) return;
    const reversed = this.#reversed.reverse();
    this.#reversed = [];
    for (const each of reversed) this.#pass(each);
  }
}
