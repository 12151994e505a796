import type { Limits } from "../../../protocol/limits.ts";
import type { Session } from "../../session.ts";
import { HttpSession } from "./http_session.ts";
import { GO_AWAY, type ServerSession, type SessionHost } from "./session.ts";
import { SOCKET_GRACE } from "./socket_session.ts";

/** Sweeps in the shortest of the waits that sweeps end: how late, or how early, they may be. */
const SWEEPS_PER_WAIT = 4;
const SHORTEST_SWEEP = 5;

/** The parts of a server's options that its sessions live by. */
export interface SessionTableOptions {
  readonly limits: Limits;
  readonly heartbeat: number;
  readonly disconnectDelay: number;
  readonly responseLimit: number;
  readonly onError: (error: unknown, session: Session) => void;
}

/**
 * All sessions of a server. One timer, which runs only while there are any, looks after all of
 * them: a connection that is idle costs no timer of its own.
 */
export class SessionTable implements SessionHost {
  readonly limits: Limits;
  readonly heartbeat: number;
  readonly disconnectDelay: number;
  readonly responseLimit: number;
  readonly #onError: (error: unknown, session: Session) => void;
  readonly #sweepInterval: number;
  /** Every session that is not over. */
  readonly #live = new Set<ServerSession>();
  /** The HTTP sessions, for as long as a client may come back to them. */
  readonly #http = new Map<string, HttpSession>();
  /** How many of the live sessions are WebSockets. */
  #sockets = 0;
  #now = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor(options: SessionTableOptions) {
    this.limits = options.limits;
    this.heartbeat = options.heartbeat;
    this.disconnectDelay = options.disconnectDelay;
    this.responseLimit = options.responseLimit;
    this.#onError = options.onError;
    const waits = [options.disconnectDelay, SOCKET_GRACE];
    if (options.heartbeat > 0) waits.push(options.heartbeat);
    this.#sweepInterval = Math.max(SHORTEST_SWEEP, Math.min(...waits) / SWEEPS_PER_WAIT);
  }

  get now(): number {
    return this.#now;
  }

  /** Sessions that are not over. */
  get size(): number {
    return this.#live.size;
  }

  /** True when no further session may be made: those that linger count, for they take memory. */
  get isFull(): boolean {
    return this.#sockets + this.#http.size >= this.limits.sessions;
  }

  /** The HTTP session of that id, also one that is over but not forgotten. */
  find(id: string): HttpSession | undefined {
    const session = this.#http.get(id);
    return session?.isForgotten ? undefined : session;
  }

  /** Takes up a session that `make` builds. */
  add<T extends ServerSession>(make: (host: SessionHost) => T): T {
    if (this.#timer === undefined) {
      this.#now = performance.now();
      this.#timer = setInterval(() => this.#sweep(), this.#sweepInterval);
    }
    const session = make(this);
    this.#live.add(session);
    if (session instanceof HttpSession) this.#http.set(session.id, session);
    else this.#sockets++;
    return session;
  }

  over(session: ServerSession): void {
    this.#live.delete(session);
    if (!(session instanceof HttpSession)) this.#sockets--;
    this.#rest();
    if (this.#live.size === 0) this.#whenEmpty?.();
  }

  failed(error: unknown, session: Session): void {
    this.#onError(error, session);
  }

  /** Ends every session, waits for that at most `timeout` ms, and forgets all of them. */
  async close(timeout: number): Promise<void> {
    for (const session of [...this.#live]) session.stop(GO_AWAY);
    if (this.#live.size > 0) await this.#emptied(timeout);
    for (const session of [...this.#live]) session.abandon();
    this.#http.clear();
    this.#rest();
  }

  #emptied(timeout: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeout);
    this.#whenEmpty = resolve;
    return promise.finally(() => clearTimeout(timer));
  }

  #sweep(): void {
    this.#now = performance.now();
    for (const session of this.#live) session.sweep(this.#now);
    for (const [id, session] of this.#http) {
      if (session.isForgotten) this.#http.delete(id);
    }
    this.#rest();
  }

  /** Stops the timer with the last session. */
  #rest(): void {
    if (this.#live.size > 0 || this.#http.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
