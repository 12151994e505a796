import { KiteError } from "../protocol/errors.ts";

/** The limits of both proxies. */
export interface ProxyLimits {
  /**
   * Registered kites. Further ones are refused with `limitError`.
   *
   * @default 10_000
   */
  readonly kites: number;
  /**
   * Open connections of clients and kites. A further one replaces the one that has been without a
   * request longest; if there is none, it is closed immediately.
   *
   * @default 20_000
   */
  readonly connections: number;
  /**
   * Concurrent requests and WebSockets of one kite. Further ones are answered with HTTP 503.
   *
   * @default 5_000
   */
  readonly exchangesPerKite: number;
  /**
   * Bytes of a request's head. A longer one is answered with HTTP 431.
   *
   * @default 16_384
   */
  readonly headerBytes: number;
  /**
   * Milliseconds to receive a request's head. A slower one is answered with HTTP 408.
   *
   * @default 10_000
   */
  readonly headersTimeout: number;
  /**
   * Milliseconds to receive a request with its body. A slower one is answered with HTTP 408.
   *
   * @default 300_000
   */
  readonly requestTimeout: number;
  /**
   * Milliseconds without data in either direction until a request or a WebSocket is ended. Must be
   * longer than the heartbeat interval of the kites: 10 s for Go kites, 25 s for kite.js.
   *
   * @default 120_000
   */
  readonly idleTimeout: number;
  /**
   * Milliseconds to connect to a kite and, for a WebSocket, to complete the handshake.
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

/** The limits of a tunnel proxy. */
export interface TunnelProxyLimits extends ProxyLimits {
  /**
   * Open tunnels of all kites. Further ones are answered with HTTP 503.
   *
   * @default 10_000
   */
  readonly tunnels: number;
  /**
   * Open tunnels of one kite. Further ones are answered with HTTP 503.
   *
   * @default 1_000
   */
  readonly tunnelsPerKite: number;
  /**
   * Milliseconds for a kite to answer `kite.tunnel` and to dial back. After that, the tunnel is
   * closed.
   *
   * @default 10_000
   */
  readonly dialBackTimeout: number;
  /**
   * Bytes of one WebSocket message. A longer one closes its tunnel with close code 1009.
   *
   * @default 8_454_144
   */
  readonly messageBytes: number;
  /**
   * Bytes waiting for one end of a tunnel at which the proxy stops reading the other end.
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
 * Adds the defaults to the given limits.
 *
 * @throws {KiteError} `configError` that names a limit that cannot be used
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
