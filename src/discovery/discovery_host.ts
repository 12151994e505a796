import type { Trust } from "../auth/trust.ts";
import type { Client } from "../client.ts";
import type { DiallingClient } from "../dialling_client.ts";
import type { ClientHooks, ClientOptions } from "../client_options.ts";
import { KiteError } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { Authentication } from "../rpc/codec.ts";
import type { TellOptions } from "../rpc/remote.ts";

/** The parts of a kite that finding kites uses. */
export interface FinderHost {
  /** Kontrol's URLs; all are equivalent. */
  readonly kontrolUrls: readonly string[];
  /** What the owner can set to name a Kontrol, for errors. */
  readonly kontrolSettings: string;
  /** Milliseconds to wait for an answer from Kontrol or a proxy. */
  readonly timeout: number;
  /** Returns what the kite shows to Kontrol. */
  credentials(): Authentication | undefined;
  /** Creates a client of the kite. */
  newClient(
    url: string | readonly string[],
    options: ClientOptions,
    hooks?: ClientHooks,
  ): DiallingClient;
  /** Logs a problem for the kite's owner. */
  report(what: string, error?: unknown): void;
}

/** The parts of a kite that registering uses. */
export interface DiscoveryHost extends FinderHost {
  readonly identity: KiteIdentity;
  readonly trust: Trust;
  /** Kontrol's username, if it is known. */
  readonly kontrolUser: string | undefined;
  /** The proxy to register at, instead of one found through Kontrol. */
  readonly proxyUrl: string | undefined;
  /** Certificates of private authorities, PEM. */
  readonly ca: readonly string[];
  /** Called when the kite has been registered. */
  registered(url: string): void;
}

/** The connection to Kontrol. */
export interface KontrolConnection {
  /** The client, which is dialled on first use. */
  readonly client: Client;
  /** Calls a method of Kontrol. */
  tell(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown>;
  /** Calls a method of Kontrol. The type of the result is an assertion and not checked. */
  tell<Result>(options: TellOptions, method: string, ...args: unknown[]): Promise<Result>;
}

/** True for errors of a registration that a further attempt would not fix. */
export function isPermanent(error: unknown): boolean {
  return error instanceof KiteError &&
    (error.type === "authenticationError" || error.type === "argumentError" ||
      error.type === "configError" || error.type === "notAllowed");
}

/** Creates the error for operations that need a Kontrol when none is configured. */
export function noKontrol({ kontrolSettings }: FinderHost): KiteError {
  const reason = `no URL is known; set ${kontrolSettings}`;
  return new KiteError("configError", `Cannot reach Kontrol: ${reason}`);
}
