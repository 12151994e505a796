import { checkNames } from "../src/config_values.ts";
import { cannotUse } from "../src/protocol/refusal.ts";

/** How long kites stay registered, in milliseconds. */
export interface LivenessOptions {
  /**
   * The interval at which kites must send heartbeats. On the wire it is rounded to seconds, at least 1.
   *
   * @default 10_000
   */
  readonly heartbeatInterval?: number;
  /**
   * How late a heartbeat may be before the kite is removed.
   *
   * @default 20_000
   */
  readonly heartbeatGrace?: number;
  /**
   * How long a kite stays registered after its connection closed, so that it can reconnect.
   *
   * @default 1_000
   */
  readonly disconnectGrace?: number;
  /**
   * The interval at which live kites are refreshed in the storage.
   *
   * @default 45_000
   */
  readonly refreshInterval?: number;
  /**
   * How long the ID of a removed kite stays reserved for its user.
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
 * Checks the options and adds the defaults.
 *
 * @throws {KiteError} `configError`
 */
export function readLiveness(options: LivenessOptions): Liveness {
  const given = checkNames("liveness", options, Object.keys(DEFAULTS));
  for (const [name, value] of Object.entries(given)) {
    if (Number.isFinite(value) && (value as number) >= 0) continue;
    throw cannotUse(`liveness.${name}`, "must be milliseconds, at least 0", { value });
  }
  return { ...DEFAULTS, ...given };
}
