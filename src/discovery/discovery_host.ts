import type { Trust } from "../auth/trust.ts";
import type { Client } from "../client.ts";
import type { DiallingClient } from "../dialling_client.ts";
import type { ClientHooks, ClientOptions } from "../client_options.ts";
import { KiteError } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { TellOptions } from "../rpc/remote.ts";

/** What registering and finding kites needs from the kite. */
export interface DiscoveryHost {
  readonly identity: KiteIdentity;
  readonly trust: Trust;
  /** Kontrol's URLs; any of them will do. */
  readonly kontrolUrls: readonly string[];
  /** Kontrol's username, if it is known. */
  readonly kontrolUser: string | undefined;
  /** The proxy to register to, instead of one that Kontrol knows. */
  readonly proxyUrl: string | undefined;
  /** Certificates of private authorities, PEM. */
  readonly ca: readonly string[];
  /** Milliseconds to wait for an answer of Kontrol, or of a proxy. */
  readonly timeout: number;
  /** Makes a client of the kite. */
  newClient(
    url: string | readonly string[],
    options: ClientOptions,
    hooks?: ClientHooks,
  ): DiallingClient;
  /** Logs a problem for the kite's owner. */
  report(what: string, error?: unknown): void;
  /** The kite was registered. */
  registered(url: string): void;
}

/** The connection to Kontrol. */
export interface KontrolConnection {
  /** The client, which is dialled when it is first needed. */
  readonly client: Client;
  /** Calls a method of Kontrol. */
  tell(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown>;
  /** The same, with the type of the result. It is an assertion and not checked. */
  tell<Result>(options: TellOptions, method: string, ...args: unknown[]): Promise<Result>;
}

/** The error for what needs a Kontrol while no URL of one is known. */
export function noKontrol(): KiteError {
  return new KiteError(
    "configError",
    "Cannot reach Kontrol: no URL is known; set kontrolUrl or KITE_KONTROL_URL, or get a kite.key",
  );
}
