import type { Limits } from "../../../protocol/limits.ts";
import { addressKey } from "../../address.ts";
import type { Session } from "../../session.ts";
import { HttpSession } from "./http_session.ts";
import type { IncomingBytes } from "./incoming_bytes.ts";
import { GO_AWAY, type ServerSession, type SessionHost } from "./session.ts";
import { SOCKET_GRACE } from "./socket_session.ts";

/** The number of sweeps during the shortest delay that sweeps check, which limits their inaccuracy. */
const SWEEPS_PER_WAIT = 4;
const SHORTEST_SWEEP = 5;

/** The options of a server that its sessions use. */
export interface SessionTableOptions {
  readonly limits: Limits;
  readonly incoming: IncomingBytes;
  readonly heartbeat: number;
  readonly disconnectDelay: number;
  readonly responseLimit: number;
  readonly onError: (error: unknown, session: Session) => void;
}

/** The sessions of one address. */
interface AddressSessions {
  count: number;
  /** The HTTP sessions without a waiting request, longest first. */
  readonly away: Set<HttpSession>;
}

/**
 * The sessions of a server. One timer checks all of them, so that idle connections need no timers. It
 * runs only while there are sessions.
 */
export class SessionTable implements SessionHost {
  readonly limits: Limits;
  readonly incoming: IncomingBytes;
  readonly heartbeat: number;
  readonly disconnectDelay: number;
  readonly responseLimit: number;
  readonly #onError: (error: unknown, session: Session) => void;
  readonly #sweepInterval: number;
  /** The open sessions. */
  readonly #live = new Set<ServerSession>();
  /** The HTTP sessions, including ended ones whose clients may still return. */
  readonly #http = new Map<string, HttpSession>();
  /** The HTTP sessions without a waiting request, longest first. */
  readonly #away = new Set<HttpSession>();
  readonly #byAddress = new Map<string, AddressSessions>();
  /** The number of open WebSocket sessions. */
  #sockets = 0;
  #now = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor(options: SessionTableOptions) {
    this.limits = options.limits;
    this.incoming = options.incoming;
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

  /** The number of open sessions. */
  get size(): number {
    return this.#live.size;
  }

  /**
   * Makes room for another session. At a limit, this ends the session whose client has been away
   * longest, since a client can create such sessions at no cost and must not block others. Ended
   * sessions count until they are forgotten, since they need memory.
   *
   * @returns false if there is no room
   */
  makeRoom(remoteAddress: string): boolean {
    const { sessions, sessionsPerAddress } = this.limits;
    const key = addressKey(remoteAddress);
    const ofAddress = key === "" ? undefined : this.#byAddress.get(key);
    if (ofAddress !== undefined && ofAddress.count >= sessionsPerAddress) {
      return this.#replaceFirst(ofAddress.away);
    }
    return this.#sockets + this.#http.size < sessions || this.#replaceFirst(this.#away);
  }

  /** Finds an HTTP session by id, also an ended one that is not forgotten. */
  find(id: string): HttpSession | undefined {
    const session = this.#http.get(id);
    if (session === undefined || !session.isForgotten) return session;
    this.#forget(session);
    return undefined;
  }

  /** Adds a session created by `make`. */
  add<T extends ServerSession>(make: (host: SessionHost) => T): T {
    if (this.#timer === undefined) {
      this.#now = performance.now();
      this.#timer = setInterval(() => this.#sweep(), this.#sweepInterval);
    }
    const session = make(this);
    this.#live.add(session);
    const key = addressKey(session.remoteAddress);
    const ofAddress = this.#byAddress.get(key);
    if (ofAddress === undefined) this.#byAddress.set(key, { count: 1, away: new Set() });
    else ofAddress.count++;
    if (session instanceof HttpSession) {
      this.#http.set(session.id, session);
      this.left(session);
    } else {
      this.#sockets++;
    }
    return session;
  }

  left(session: ServerSession): void {
    if (!(session instanceof HttpSession) || this.#http.get(session.id) !== session) return;
    this.#away.add(session);
    this.#byAddress.get(addressKey(session.remoteAddress))?.away.add(session);
  }

  returned(session: ServerSession): void {
    if (!(session instanceof HttpSession)) return;
    this.#away.delete(session);
    this.#byAddress.get(addressKey(session.remoteAddress))?.away.delete(session);
  }

  over(session: ServerSession): void {
    this.#live.delete(session);
    if (!(session instanceof HttpSession)) {
      this.#sockets--;
      this.#uncount(session);
    }
    this.#rest();
    if (this.#live.size === 0) this.#whenEmpty?.();
  }

  failed(error: unknown, session: Session): void {
    this.#onError(error, session);
  }

  /** Ends all sessions, waits for at most `timeout` ms, and forgets them. */
  async close(timeout: number): Promise<void> {
    for (const session of [...this.#live]) session.stop(GO_AWAY);
    if (this.#live.size > 0) await this.#emptied(timeout);
    for (const session of [...this.#live]) session.abandon();
    for (const session of [...this.#http.values()]) this.#forget(session);
    this.#rest();
  }

  #replaceFirst(away: ReadonlySet<HttpSession>): boolean {
    const [oldest] = away;
    if (oldest === undefined || !oldest.isReplaceable) return false;
    oldest.abandon();
    this.#forget(oldest);
    return true;
  }

  #forget(session: HttpSession): void {
    if (!this.#http.delete(session.id)) return;
    this.returned(session);
    this.#uncount(session);
  }

  #uncount(session: ServerSession): void {
    const key = addressKey(session.remoteAddress);
    const ofAddress = this.#byAddress.get(key);
    if (ofAddress !== undefined && --ofAddress.count === 0) this.#byAddress.delete(key);
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
    for (const session of this.#http.values()) {
      if (session.isForgotten) this.#forget(session);
    }
    this.#rest();
  }

  /** Stops the timer if there are no sessions. */
  #rest(): void {
    if (this.#live.size > 0 || this.#http.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
