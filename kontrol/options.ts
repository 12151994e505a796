import {
  checkAnyObject,
  checkBoolean,
  checkFunction,
  checkOptions,
  checkRange,
  type Checks,
  checkSecret,
  checkTtl,
  checkUrl,
} from "../src/config_values.ts";
import type { KiteOptions } from "../src/kite_options.ts";
import { cannotUse } from "../src/protocol/refusal.ts";
import type { RegisterMode } from "./admission.ts";
import type { BudgetOptions } from "./budgets.ts";
import type { LivenessOptions } from "./liveness.ts";
import type { MachineOptions } from "./methods.ts";
import type { Policy, PolicyName } from "./policy.ts";
import type { Storage } from "./storage/storage.ts";
import type { TokenIssuerOptions } from "./tokens.ts";

/** The options of the tokens that Kontrol signs. */
export type TokenOptions = Omit<TokenIssuerOptions, "keys" | "issuer" | "queue" | "allowance">;

/** The options of {@linkcode Kontrol}. */
export interface KontrolOptions extends MachineOptions {
  /** Stores registrations and key pairs. Kontrol closes it. */
  readonly storage: Storage;
  /** Kontrol's own kite.key, signed with one of the key pairs in the storage. */
  readonly kiteKey: string;
  /**
   * The version in Kontrol's own registration.
   *
   * @default the version of this package
   */
  readonly version?: string;
  /**
   * Kontrol's URL as kites reach it, which is written into kite.keys. Port 0 is replaced by the port
   * on which Kontrol listens.
   *
   * @default that of the kite.key
   */
  readonly kontrolUrl?: string;
  /**
   * The URL of Kontrol's own registration; `""` for none.
   *
   * @default `kontrolUrl`
   */
  readonly registerUrl?: string;
  /** The options of Kontrol's kite: address, port, TLS, environment, logger, limits and others. */
  readonly kite?: Omit<KiteOptions, "kiteKey" | "kontrolKey" | "kontrolUser" | "verify">;
  /**
   * Decides who may register and find which kites.
   *
   * @default "compatible"
   */
  readonly policy?: PolicyName | Policy;
  /**
   * Who gets a kite.key from `registerMachine`. Cannot be combined with `machineAuthenticate`.
   *
   * @default "closed"
   */
  readonly register?: RegisterMode;
  /** How long kites stay registered without heartbeats. */
  readonly liveness?: LivenessOptions;
  /** The validity and the cache of tokens. */
  readonly tokens?: TokenOptions;
  /** The limits per user. */
  readonly budgets?: BudgetOptions;
  /**
   * Maximum number of kites in one answer.
   *
   * @default 2_000
   */
  readonly maxResults?: number;
  /**
   * Milliseconds until changes of the key pairs by other Kontrols take effect.
   *
   * @default 5_000
   */
  readonly keyPairsTimeToLive?: number;
}

const TOKEN_CHECKS: Checks<TokenOptions> = Object.freeze({
  timeToLive: checkedLater,
  leeway: checkedLater,
  notBefore: checkBoolean,
  cacheSize: checkedLater,
  now: checkFunction,
});

const CHECKS: Checks<KontrolOptions> = Object.freeze({
  storage: checkAnyObject,
  kiteKey: checkSecret,
  version: checkedLater,
  kontrolUrl: checkUrlOrNone,
  registerUrl: checkUrlOrNone,
  kite: checkedLater,
  policy: checkedLater,
  register: checkedLater,
  liveness: checkedLater,
  tokens: (name: string, value: unknown) => checkOptions(name, value, TOKEN_CHECKS),
  budgets: checkedLater,
  maxResults: checkRange(1, Infinity),
  keyPairsTimeToLive: checkTtl,
  machineAuthenticate: checkFunction,
  machineKeyPicker: checkFunction,
});

/**
 * Checks the options of a Kontrol.
 *
 * @throws {KiteError} `configError` that names the invalid option
 */
export function checkKontrolOptions(options: KontrolOptions): void {
  const { storage, kiteKey } = checkOptions("", options, CHECKS);
  if (storage === undefined) throw cannotUse("storage", "must be given, such as a MemoryStorage");
  if (kiteKey === undefined) throw cannotUse("kiteKey", "must be given; createKontrol makes one");
}

/** The part that uses the option checks it. */
function checkedLater(_name: string, value: unknown): unknown {
  return value;
}

function checkUrlOrNone(name: string, value: unknown): string {
  return value === "" ? "" : checkUrl(name, value);
}
