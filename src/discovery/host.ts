import type { Trust } from "../auth/trust.ts";
import type { Client } from "../client.ts";
import type { ClientOptions } from "../client_options.ts";
import { KiteError } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { TellOptions } from "../rpc/remote.ts";

/** What finding and being found needs from the kite. */
export interface DiscoveryHost {
  readonly identity: KiteIdentity;
  readonly trust: Trust;
  /** Kontrol's URLs; any of them will do. */
  readonly kontrolUrls: readonly string[];
  /** Certificates of private authorities, PEM. */
  readonly ca: readonly string[];
  /** Milliseconds to wait for an answer of Kontrol. */
  readonly timeout: number;
  newClient(url: string | readonly string[], options: ClientOptions): Client;
  /** Tells the owner of what went wrong. */
  report(what: string, error?: unknown): void;
  /** The kite was registered. */
  registered(url: string): void;
}

/** The line to Kontrol. */
export interface KontrolLine {
  /** The connection, dialled when it is first asked for. */
  readonly client: Client;
  /** Calls a method of Kontrol. */
  tell(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown>;
  tell<Result>(options: TellOptions, method: string, ...args: unknown[]): Promise<Result>;
}

/** The error for what needs a Kontrol while no URL of one is known. */
export function noKontrol(): KiteError {
  return new KiteError(
    "configError",
    "Cannot reach Kontrol: no URL is known; set kontrolUrl or KITE_KONTROL_URL, or have a kite.key",
  );
}
