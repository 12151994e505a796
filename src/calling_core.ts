import type { ClientDefaults, ClientHooks, ClientOptions } from "./client_options.ts";
import { type ClientHost, DiallingClient } from "./dialling_client.ts";
import type { Logger } from "./log.ts";
import { KiteError, messageOf } from "./protocol/errors.ts";
import { checkIdentity, type KiteIdentity } from "./protocol/identity.ts";
import type { Limits } from "./protocol/limits.ts";
import type { NewCompactCodec } from "./rpc/compact_codec.ts";
import type { CallLog } from "./rpc/host.ts";
import { Methods, type MethodsOptions } from "./rpc/methods.ts";
import type { DialSession } from "./transport/dial.ts";

/** Logs calls, and problems that are not reported to a caller. */
export interface EventLog extends CallLog {
  /** Logs a problem that is not reported to a caller. */
  report(what: string, error?: unknown): void;
  /** Writes how many messages were not written. */
  flush(): void;
}

/** What a {@linkcode CallingCore} is made of. */
export interface CallingCoreInit {
  /** The kite's identity, not checked yet. */
  readonly identity: KiteIdentity;
  readonly log: Logger;
  readonly eventLog: EventLog;
  readonly methods: Omit<MethodsOptions, "nameLength">;
  readonly limits: Limits;
  /** Milliseconds that calls wait for an answer. */
  readonly timeout: number;
  readonly clientDefaults: ClientDefaults;
  readonly dialSession: DialSession;
  readonly checkClientOptions: ClientHost["checkClientOptions"];
  readonly compact: boolean;
  readonly newCompactCodec: NewCompactCodec | undefined;
}

/** The parts of a kite that dials others: what it calls, and what the others call back. */
export class CallingCore {
  readonly identity: KiteIdentity;
  readonly log: Logger;
  readonly methods: Methods;
  protected readonly clients: Set<DiallingClient> = new Set();
  readonly #eventLog: EventLog;
  /** What clients see of this kite. */
  protected readonly clientHost: ClientHost;

  /** @throws {KiteError} `configError` for an identity that cannot be used */
  constructor(init: CallingCoreInit) {
    const { limits, log } = init;
    const { nameLength } = limits;
    this.identity = ownIdentity(init.identity, nameLength);
    this.log = log;
    this.#eventLog = init.eventLog;
    this.methods = new Methods({ ...init.methods, nameLength });
    this.clientHost = {
      ...init,
      identity: this.identity,
      serve: (request) => this.methods.serve(request),
      report: (what, error) => this.report(what, error),
      inFlight: { bytes: 0 },
      callLog: init.eventLog,
      clientOpened: (client) => void this.clients.add(client),
      clientClosed: (client) => {
        this.clients.delete(client);
        this.flushLog();
      },
    };
  }

  newClient(
    url: string | URL | readonly string[],
    options: ClientOptions,
    hooks?: ClientHooks,
  ): DiallingClient {
    return new DiallingClient(this.clientHost, url, options, hooks);
  }

  /** Logs a problem that is not reported to a caller. */
  report(what: string, error?: unknown): void {
    this.#eventLog.report(what, error);
  }

  /** Closes all clients. */
  async closeClients(): Promise<void> {
    await Promise.all([...this.clients].map((client) => client.close()));
  }

  /** True while there is a remote that could cause log messages. */
  protected get hasRemotes(): boolean {
    return this.clients.size > 0;
  }

  /** Logs the counts of suppressed messages once no remote is left that could cause more. */
  protected flushLog(): void {
    if (!this.hasRemotes) this.#eventLog.flush();
  }
}

/** @throws {KiteError} `configError`: these fields are settings, not a caller's arguments */
function ownIdentity(identity: KiteIdentity, nameLength: number): KiteIdentity {
  try {
    return checkIdentity(identity, nameLength);
  } catch (cause) {
    throw new KiteError("configError", messageOf(cause), { cause });
  }
}
