import { type Checks, checkSecret, checkTtl } from "../../src/config_values.ts";
import { checkMilliseconds, checkStorageOptions } from "./check.ts";
import { CONNECTION_CHECKS, type EtcdConnection } from "./etcd_member.ts";
import type { StorageOptions } from "./storage.ts";

/** The options of `EtcdStorage`. The time to live is rounded up to whole seconds. */
export interface EtcdStorageOptions extends StorageOptions, EtcdConnection {
  /**
   * The prefix of all keys, without a trailing "/".
   *
   * @default "/kites"
   */
  readonly prefix?: string;
  /**
   * Milliseconds between two checks that the watch stream is alive.
   *
   * @default 5_000
   */
  readonly checkInterval?: number;
  /**
   * Milliseconds by which query results may lag behind changes of other Kontrols. During this time,
   * queries are answered from memory without asking etcd for its revision; with 0, every query asks.
   *
   * @default 10
   */
  readonly freshness?: number;
}

const CHECKS: Checks<Omit<EtcdStorageOptions, keyof StorageOptions>> = Object.freeze({
  ...CONNECTION_CHECKS,
  prefix: checkSecret,
  checkInterval: checkMilliseconds,
  freshness: checkTtl,
});

/**
 * Checks the options of a storage in etcd.
 *
 * @throws {KiteError} `configError` that names the option
 */
export function checkEtcdOptions(options: EtcdStorageOptions): void {
  checkStorageOptions(options, CHECKS);
}
