import type { Connection } from "./connection.ts";
import { LimitedLog } from "./limited_log.ts";
import type { Logger } from "./log.ts";
import type { LogLevel } from "./log_level.ts";
import { describeThrown, KiteError } from "./protocol/errors.ts";
import type { CallLog } from "./rpc/host.ts";
import type { KiteRequest } from "./rpc/request.ts";
import type { CloseInfo } from "./transport/session.ts";

/** Messages of `kite.log` and of connections that are written per ten seconds. */
const MOST_REMOTE_MESSAGES = 1_000;

/** Options of an {@linkcode OperatorLog}. */
export interface OperatorLogOptions {
  /** Logs connections at INFO instead of DEBUG. */
  readonly logConnections: boolean;
  /** Whether DEBUG is on, for loggers without `isEnabled`. */
  readonly isDebug: boolean;
}

/** A logger that knows its level. */
interface LevelLogger extends Logger {
  isEnabled(level: LogLevel): boolean;
}

/**
 * Logs for the operator of a kite: failures, connections, and each call at DEBUG. Messages that a
 * remote can cause are limited, see {@linkcode LimitedLog}.
 */
export class OperatorLog implements CallLog {
  readonly #log: Logger;
  readonly #levels: LevelLogger | undefined;
  readonly #limited: LimitedLog;
  readonly #options: OperatorLogOptions;

  constructor(log: Logger, options: OperatorLogOptions) {
    this.#log = log;
    this.#levels = knowsLevels(log) ? log : undefined;
    this.#limited = new LimitedLog(log);
    this.#options = options;
  }

  /** Logs a problem that is not reported to a caller. */
  report(what: string, error?: unknown): void {
    if (error === undefined) return this.#limited.write("warning", what, "{what}", { what });
    const details = { what, reason: describeThrown(error), error };
    this.#limited.write("warning", what, "{what}: {reason}", details);
  }

  /** Logs a message that a remote asked for. */
  remote(from: string, message: string): void {
    const kind = "messages that remotes log";
    // Passed as details, since braces in text of a remote must not be replaced.
    const details = { from, message };
    this.#limited.write("info", kind, "{from}: {message}", details, MOST_REMOTE_MESSAGES);
  }

  /** Logs a connection that opened. */
  opened({ remoteAddress: address, transport }: Connection): void {
    this.#connection("{address} connected over {transport}", { address, transport });
  }

  /** Logs a connection that ended. */
  closed({ remoteAddress: address }: Connection, { code, reason }: CloseInfo): void {
    this.#connection("{address} disconnected: {code} {reason}", { address, code, reason });
  }

  /** Writes the numbers of suppressed messages. */
  flush(): void {
    this.#limited.flush();
  }

  get isVerbose(): boolean {
    return this.#levels?.isEnabled("DEBUG") ?? this.#options.isDebug;
  }

  ended(request: KiteRequest, startedAt: number, error?: unknown): void {
    const details = {
      ...describeCall(request),
      outcome: error === undefined ? "ok" : describeThrown(error),
      milliseconds: (performance.now() - startedAt).toFixed(1),
    };
    this.#log.debug(
      "{method} for {caller}: {outcome} in {milliseconds} ms (request {id})",
      details,
    );
  }

  failed(request: KiteRequest, error: unknown, isAnswered: boolean): void {
    const details = { ...describeCall(request), reason: describeThrown(error), error };
    if (!(error instanceof KiteError)) {
      this.#limited.write(
        "error",
        "a handler failed",
        "{method} failed for {caller} (request {id}): {reason}",
        details,
      );
    } else if (error.type === "authenticationError" && !request.isAuthenticated) {
      this.#limited.write(
        "info",
        "refused an authentication",
        "Refused {method} for {caller}: {reason}",
        details,
      );
    } else if (!isAnswered) {
      this.#limited.write(
        "warning",
        "a call without an answer failed",
        "{method} failed for {caller}, which expects no answer: {reason}",
        details,
      );
    }
  }

  #connection(message: string, details: Record<string, unknown>): void {
    if (!this.#options.logConnections) this.#log.debug(message, details);
    else this.#limited.write("info", message, message, details, MOST_REMOTE_MESSAGES);
  }
}

/** Describes the caller as `username/name at address`. The username may be unauthenticated. */
function describeCall({ method, kite, client, id }: KiteRequest): Record<string, string> {
  const address = client.remoteAddress === "" ? "" : ` at ${client.remoteAddress}`;
  return { method, caller: `${kite.username}/${kite.name}${address}`, id };
}

function knowsLevels(log: Logger): log is LevelLogger {
  return typeof (log as Partial<LevelLogger>).isEnabled === "function";
}
