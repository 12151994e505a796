import { encodeClose, encodeMessages, HEARTBEAT_FRAME, OPEN_FRAME } from "../frames.ts";
import type { Message } from "../../message.ts";
import type { CloseInfo, TransportName } from "../../session.ts";
import { batchEnd } from "./batches.ts";
import { ServerSession, type SessionHost } from "./session.ts";

const INTERRUPTED: CloseInfo = Object.freeze({ code: 1006, reason: "Connection interrupted" });
const TIMED_OUT: CloseInfo = Object.freeze({ code: 1006, reason: "Session timed out" });
/** Milliseconds without a poll during which a client that has sent messages keeps its session. */
const REPLACE_AFTER = 1_000;

const TOO_SLOW: CloseInfo = Object.freeze({ code: 1008, reason: "Request body too slow" });
const OVERLOADED: CloseInfo = Object.freeze({ code: 1013, reason: "Too many request bodies" });
/** The frame for a client that returns to an interrupted session. Code 1006 must not be sent. */
const INTERRUPTED_FRAME = encodeClose(1002, INTERRUPTED.reason);
const BUSY_FRAME = encodeClose(2010, "Another connection still open");

/** A response that sends one or more frames to the client. */
export interface Receiver {
  /** False if it accepts no further frame. */
  readonly isOpen: boolean;
  /** Bytes (estimated) written that the network has not accepted yet. */
  readonly unsent: number;
  /** Writes one frame. */
  write(frame: string): void;
  /** Ends the response. */
  end(): void;
}

/**
 * A session of the HTTP transports. It receives messages through `xhr_send` or `jsonp_send`, and sends
 * messages through one receiver at a time. Without a receiver, they wait.
 */
export class HttpSession extends ServerSession {
  readonly transport: TransportName;
  readonly id: string;
  #receiver: Receiver | undefined;
  #queue: string[] = [];
  #queueSize = 0;
  #greeted = false;
  #hasSentMessages = false;
  /** When a session without a receiver is forgotten; 0 while it has one. */
  #deadline: number;

  constructor(host: SessionHost, remoteAddress: string, transport: TransportName, id: string) {
    super(host, remoteAddress);
    this.transport = transport;
    this.id = id;
    this.#deadline = this.#delayed();
  }

  /**
   * True if another session may replace this one: its client is away, and has either sent no message
   * yet or been away for some time.
   */
  get isReplaceable(): boolean {
    if (this.#receiver !== undefined) return false;
    const awayFor = this.host.disconnectDelay - (this.#deadline - performance.now());
    return this.isOver || !this.#hasSentMessages || awayFor >= REPLACE_AFTER;
  }

  /** True if the session has ended and is no longer kept for its client. */
  get isForgotten(): boolean {
    return this.isOver && this.#receiver === undefined && this.host.now >= this.#deadline;
  }

  /** Connects a response that can send frames. */
  connect(receiver: Receiver): void {
    if (this.#receiver !== undefined) {
      receiver.write(BUSY_FRAME);
      receiver.end();
      return;
    }
    this.#receiver = receiver;
    this.#deadline = 0;
    this.host.returned(this);
    this.lastSent = this.host.now;
    if (!this.#greeted) {
      this.#greeted = true;
      receiver.write(OPEN_FRAME);
    }
    this.#drain();
  }

  /** Ends the session because the client left before its response was complete; data may be lost. */
  interrupted(receiver: Receiver): void {
    if (this.#receiver !== receiver) return;
    this.#release();
    this.discard();
    this.finish(INTERRUPTED);
  }

  /**
   * Takes the messages of an upstream request.
   *
   * @returns false when one is over the limit
   */
  accept(frame: string, messages: readonly Message[]): boolean {
    this.#hasSentMessages = true;
    return this.deliver(frame, messages);
  }

  /** Ends the session because an upstream request was refused with the HTTP status. */
  refuseRequest(status: 408 | 413 | 503): void {
    if (status === 413) this.refuse();
    else this.stop(status === 408 ? TOO_SLOW : OVERLOADED);
  }

  sweep(now: number): void {
    const receiver = this.#receiver;
    if (receiver === undefined) {
      if (!this.isOver && now >= this.#deadline) this.#expire();
    } else if (this.host.heartbeat > 0 && now - this.lastSent >= this.host.heartbeat) {
      this.lastSent = now;
      receiver.write(HEARTBEAT_FRAME);
      this.#settle(receiver);
    }
  }

  abandon(): void {
    this.finish(TIMED_OUT);
  }

  protected get unsent(): number {
    return this.#queueSize + (this.#receiver?.unsent ?? 0);
  }

  protected write(messages: readonly string[]): void {
    for (const message of messages) {
      this.#queue.push(message);
      this.#queueSize += message.length;
    }
    this.#drain();
  }

  protected shut(info: CloseInfo): void {
    this.#deadline = this.#delayed();
    this.finish(info);
    this.#drain();
  }

  protected discard(): void {
    this.#queue = [];
    this.#queueSize = 0;
  }

  /** Sends the waiting messages to the receiver, and the close frame if the session has ended. */
  #drain(): void {
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    while (receiver.isOpen && this.#queue.length > 0) receiver.write(this.#nextFrame());
    if (receiver.isOpen && this.ending !== undefined) {
      receiver.write(closeFrame(this.ending));
      receiver.end();
    }
    this.#settle(receiver);
  }

  #nextFrame(): string {
    const end = batchEnd(this.#queue, 0, this.host.responseLimit);
    const batch = this.#queue.splice(0, end);
    for (const message of batch) this.#queueSize -= message.length;
    return encodeMessages(batch);
  }

  #settle(receiver: Receiver): void {
    if (!receiver.isOpen && this.#receiver === receiver) this.#release();
  }

  #release(): void {
    this.#receiver = undefined;
    this.#deadline = this.#delayed();
    this.host.left(this);
  }

  #expire(): void {
    this.discard();
    this.finish(TIMED_OUT);
  }

  #delayed(): number {
    // The host's clock may be late by one sweep, but a client must have the whole delay.
    return performance.now() + this.host.disconnectDelay;
  }
}

function closeFrame(info: CloseInfo): string {
  return info === INTERRUPTED ? INTERRUPTED_FRAME : encodeClose(info.code, info.reason);
}
