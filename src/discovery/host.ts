import type { Trust } from "../auth/trust.ts";
import type { Client, ClientOptions } from "../client.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { TellOptions } from "../rpc/remote.ts";

/** What finding and being found needs from the kite. */
export interface DiscoveryHost {
  readonly identity: KiteIdentity;
  readonly trust: Trust;
  /** Kontrol's URLs; any of them will do. */
  readonly kontrolUrls: readonly string[];
  /** Kontrol's username, if it is known. */
  readonly kontrolUser: string | undefined;
  /** The proxy to register to, instead of one that Kontrol knows. */
  readonly proxyUrl: string | undefined;
  /** Milliseconds to wait for an answer of Kontrol, or of a proxy. */
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
  tell<Result = unknown>(
    options: TellOptions,
    method: string,
    ...args: unknown[]
  ): Promise<Result>;
}
