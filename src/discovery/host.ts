import type { Trust } from "../auth/trust.ts";
import type { Client, ClientHooks, ClientOptions } from "../client.ts";
import { KiteError } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { TellOptions } from "../rpc/remote.ts";

/** What registering and finding kites needs from the kite. */
export interface DiscoveryHost {
  readonly identity: KiteIdentity;
  readonly trust: Trust;
  /** Kontrol's URLs; any of them will do. */
  readonly kontrolUrls: readonly string[];
  /** Milliseconds to wait for an answer of Kontrol. */
  readonly timeout: number;
  /** Makes a client of the kite. */
  newClient(url: string | readonly string[], options: ClientOptions, hooks?: ClientHooks): Client;
  /** Logs a problem for the kite's owner. */
  report(what: string, error?: unknown): void;
  /** The kite was registered. */
  registered(url: string): void;
}

/** The connection to Kontrol. */
export interface KontrolLine {
  /** The client, which is dialled when it is first needed. */
  readonly client: Client;
  /** Calls a method of Kontrol. */
  tell<Result = unknown>(
    options: TellOptions,
    method: string,
    ...args: unknown[]
  ): Promise<Result>;
}

/** The error for a kite without any URL of a Kontrol. */
export function noKontrolKnown(): KiteError {
  return new KiteError(
    "configError",
    "Cannot reach Kontrol: none is known; " +
      "set the option kontrolUrl or KITE_KONTROL_URL, or get a kite.key",
  );
}
