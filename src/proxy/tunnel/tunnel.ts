import type { CloseInfo } from "../../transport/session.ts";
import type { TunnelEnd } from "./ends.ts";

const GO_AWAY: CloseInfo = Object.freeze({ code: 3000, reason: "Go away!" });
/** How a tunnel ends if the kite does not dial back. */
export const UNREACHABLE: CloseInfo = Object.freeze({
  code: 3502,
  reason: "The kite behind the proxy cannot be reached",
});
const SLOW: CloseInfo = Object.freeze({ code: 1013, reason: "The peer reads too slowly" });

/** The limits of one tunnel. */
export interface TunnelBounds {
  /** Bytes waiting for one end at which the other end is no longer read. */
  readonly queuedBytes: number;
  /** Bytes waiting for one end at which the tunnel is closed, if the other end cannot be paused. */
  readonly mostQueued: number;
}

/** Connects two sessions: each message of one end is sent to the other. */
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
   * Creates a tunnel that waits for the kite. The client's messages are read only after that.
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

  /** True once the tunnel no longer waits for the kite. */
  get isTaken(): boolean {
    return this.#isClosed || this.#kite !== undefined;
  }

  /** Connects the kite. Messages are forwarded from now on. */
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
      onClose: () => this.close(),
    });
    client.start({
      onMessages: (messages) => up.pass(messages),
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

/** Forwards the messages of one direction. */
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

  /** Forwards messages, and stops reading if the receiver is too slow. */
  pass(messages: readonly string[]): void {
    this.#to.send(messages);
    const { queued } = this.#to;
    if (queued <= this.#bounds.queuedBytes) return;
    if (queued > this.#bounds.mostQueued) return this.#close(SLOW);
    if (!this.#isPaused) void this.#pause();
  }

  /** Does not read until the receiver has accepted what waits for it. */
  async #pause(): Promise<void> {
    this.#isPaused = true;
    this.#from.pause();
    await this.#to.drained();
    this.#isPaused = false;
    this.#from.resume();
  }
}
