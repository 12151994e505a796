import { KiteError } from "../src/protocol/errors.ts";

/** How long kites are kept, all in milliseconds. */
export interface LivenessOptions {
  /**
   * What kites are asked to send their heartbeats at.
   *
   * @default 10_000
   */
  readonly heartbeatInterval?: number;
  /**
   * What a heartbeat may be late before its kite counts as gone.
   *
   * @default 20_000
   */
  readonly heartbeatGrace?: number;
  /**
   * How long a kite is kept after its connection has closed, for it to come back.
   *
   * @default 1_000
   */
  readonly disconnectGrace?: number;
  /**
   * How often a kite that sends heartbeats is refreshed in the storage.
   *
   * @default 45_000
   */
  readonly refreshInterval?: number;
  /**
   * How long the id of a kite that has gone stays reserved for its user.
   *
   * @default 600_000
   */
  readonly idReservation?: number;
}

/** {@linkcode LivenessOptions} with every default filled in. */
export type Liveness = Required<LivenessOptions>;

const DEFAULTS: Liveness = Object.freeze({
  heartbeatInterval: 10_000,
  heartbeatGrace: 20_000,
  disconnectGrace: 1_000,
  refreshInterval: 45_000,
  idReservation: 600_000,
});

/**
 * Checks the options and fills in the defaults.
 *
 * @throws {KiteError} `configError`
 */
export function readLiveness(options: LivenessOptions): Liveness {
  const liveness = { ...DEFAULTS, ...options };
  for (const [name, value] of Object.entries(liveness)) {
    if (Number.isFinite(value) && value >= 0) continue;
    const reason = "must be milliseconds from 0 on";
    throw new KiteError("configError", `Cannot use ${value} as liveness.${name}: ${reason}`);
  }
  return liveness;
}
