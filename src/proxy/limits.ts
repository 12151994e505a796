import { KiteError } from "../protocol/errors.ts";

/** The bounds of both proxies. */
export interface ProxyLimits {
  /**
   * Kites that are registered at once. Further ones are refused with `limitError`.
   *
   * @default 10_000
   */
  readonly kites: number;
  /**
   * Connections of clients and kites at once. Further ones are closed at once.
   *
   * @default 20_000
   */
  readonly connections: number;
  /**
   * Requests and WebSockets of one kite that are forwarded at once. Further ones are answered 503.
   *
   * @default 5_000
   */
  readonly exchangesPerKite: number;
  /**
   * Bytes of a request's head. A longer one is answered 431.
   *
   * @default 16_384
   */
  readonly headerBytes: number;
  /**
   * Milliseconds for a request's head. A slower one is answered 408.
   *
   * @default 10_000
   */
  readonly headersTimeout: number;
  /**
   * Milliseconds for a whole request, its body included. A slower one is answered 408.
   *
   * @default 300_000
   */
  readonly requestTimeout: number;
  /**
   * Milliseconds without a byte in either direction until an exchange or a WebSocket is ended. It has
   * to be longer than the heartbeats of the kites: 10 s for Go kites, 25 s for kite.js.
   *
   * @default 120_000
   */
  readonly idleTimeout: number;
  /**
   * Milliseconds to connect to a kite, and for its answer to a WebSocket handshake.
   *
   * @default 10_000
   */
  readonly connectTimeout: number;
}

/** The default of every limit of both proxies. */
export const DEFAULT_PROXY_LIMITS: ProxyLimits = Object.freeze({
  kites: 10_000,
  connections: 20_000,
  exchangesPerKite: 5_000,
  headerBytes: 16_384,
  headersTimeout: 10_000,
  requestTimeout: 300_000,
  idleTimeout: 120_000,
  connectTimeout: 10_000,
});

/** The bounds of a tunnel proxy. */
export interface TunnelProxyLimits extends ProxyLimits {
  /**
   * Tunnels of all kites at once. Further ones are answered 503.
   *
   * @default 10_000
   */
  readonly tunnels: number;
  /**
   * Tunnels of one kite at once. Further ones are answered 503.
   *
   * @default 1_000
   */
  readonly tunnelsPerKite: number;
  /**
   * Milliseconds for a kite to answer `kite.tunnel` and to dial back. The tunnel is ended then.
   *
   * @default 10_000
   */
  readonly dialBackTimeout: number;
  /**
   * Bytes of one WebSocket message. A longer one ends its tunnel with close code 1009.
   *
   * @default 8_454_144
   */
  readonly messageBytes: number;
  /**
   * Bytes that wait for one end of a tunnel until the other end is no longer read.
   *
   * @default 1_048_576
   */
  readonly queuedBytes: number;
}

/** The default of every limit of a tunnel proxy. */
export const DEFAULT_TUNNEL_LIMITS: TunnelProxyLimits = Object.freeze({
  ...DEFAULT_PROXY_LIMITS,
  tunnels: 10_000,
  tunnelsPerKite: 1_000,
  dialBackTimeout: 10_000,
  messageBytes: 8_454_144,
  queuedBytes: 1_048_576,
});

/**
 * Completes limits.
 *
 * @throws {KiteError} `configError` that names the wrong one
 */
export function completeLimits<Of extends ProxyLimits>(defaults: Of, given: Partial<Of> = {}): Of {
  for (const [name, value] of Object.entries(given)) {
    if (!(name in defaults)) {
      throw new KiteError("configError", `Cannot use limits.${name}: there is no such limit`);
    }
    if (value !== undefined && !(Number.isSafeInteger(value) && value as number > 0)) {
      throw new KiteError("configError", `Cannot use limits.${name}: must be a positive integer`);
    }
  }
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(set) };
}
