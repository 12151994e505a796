import type { CloseInfo } from "../../transport/session.ts";
import type { TunnelEnd } from "./ends.ts";

const GO_AWAY: CloseInfo = Object.freeze({ code: 3000, reason: "Go away!" });
/** Why a tunnel ends when the kite does not dial back. */
export const UNREACHABLE: CloseInfo = Object.freeze({
  code: 3502,
  reason: "The kite behind the proxy cannot be reached",
});
const SLOW: CloseInfo = Object.freeze({ code: 1013, reason: "The peer reads too slowly" });

/** The bounds of one tunnel. */
export interface TunnelBounds {
  /** Bytes that wait for one end until the other end is no longer read. */
  readonly queuedBytes: number;
  /** Bytes that wait for one end until the tunnel is closed: the other end cannot be paused. */
  readonly mostQueued: number;
}

/** Two sessions, joined message by message: what one end sends, the other receives. */
export class Tunnel {
  readonly id: string = crypto.randomUUID();
  readonly kiteId: string;
  readonly #client: TunnelEnd;
  readonly #bounds: TunnelBounds;
  readonly #onClose: () => void;
  #kite: TunnelEnd | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /**
   * A tunnel that waits for the kite's end. The client's end is read from then on only.
   *
   * @param timeout milliseconds for the kite to dial back
   */
  constructor(
    kiteId: string,
    client: TunnelEnd,
    bounds: TunnelBounds,
    timeout: number,
    onClose: () => void,
  ) {
    this.kiteId = kiteId;
    this.#client = client;
    this.#bounds = bounds;
    this.#onClose = onClose;
    this.#deadline = setTimeout(() => this.close(UNREACHABLE), timeout);
  }

  /** True when the tunnel no longer waits for the kite's end. */
  get isTaken(): boolean {
    return this.#isClosed || this.#kite !== undefined;
  }

  /** Takes the kite's end; messages travel from now on. */
  join(kite: TunnelEnd): void {
    if (this.isTaken) return kite.close(GO_AWAY);
    clearTimeout(this.#deadline);
    this.#kite = kite;
    const client = this.#client;
    const close = (info?: CloseInfo): void => this.close(info);
    const up = new Direction(client, kite, this.#bounds, close);
    const down = new Direction(kite, client, this.#bounds, close);
    kite.start({
      onMessages: (messages) => down.pass(messages),
      onDrain: () => up.drained(),
      onClose: () => this.close(),
    });
    client.start({
      onMessages: (messages) => up.pass(messages),
      onDrain: () => down.drained(),
      onClose: () => this.close(),
    });
  }

  /** Sends heartbeats to both ends. */
  beat(): void {
    this.#client.beat();
    this.#kite?.beat();
  }

  /** Ends both sessions. Idempotent. */
  close(info: CloseInfo = GO_AWAY): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#deadline);
    this.#client.close(info);
    this.#kite?.close(info);
    this.#onClose();
  }
}

/** Messages on their way from one end to the other. */
class Direction {
  readonly #from: TunnelEnd;
  readonly #to: TunnelEnd;
  readonly #bounds: TunnelBounds;
  readonly #close: (info: CloseInfo) => void;
  #isPaused = false;

  constructor(
    from: TunnelEnd,
    to: TunnelEnd,
    bounds: TunnelBounds,
    close: (info: CloseInfo) => void,
  ) {
    this.#from = from;
    this.#to = to;
    this.#bounds = bounds;
    this.#close = close;
  }

  /** Sends messages on, and stops reading when the receiver is too slow. */
  pass(messages: readonly string[]): void {
    this.#to.send(messages);
    const { queued } = this.#to;
    if (queued <= this.#bounds.queuedBytes) return;
    if (queued > this.#bounds.mostQueued) return this.#close(SLOW);
    this.#isPaused = true;
    this.#from.pause();
  }

  /** The receiver has taken something: reads again once half of the room is free. */
  drained(): void {
    if (!this.#isPaused || this.#to.queued > this.#bounds.queuedBytes / 2) return;
    this.#isPaused = false;
    this.#from.resume();
  }
}
