import type { EventLog } from "../calling_core.ts";
import type { Logger } from "../log.ts";
import { describeThrown, KiteError } from "../protocol/errors.ts";
import type { KiteRequest } from "../rpc/request.ts";

/** What the owner of a page sees of its kite: problems, and each call at DEBUG. */
export class PageLog implements EventLog {
  readonly #log: Logger;
  readonly isVerbose: boolean;

  constructor(log: Logger, isVerbose: boolean) {
    this.#log = log;
    this.isVerbose = isVerbose;
  }

  report(what: string, error?: unknown): void {
    const reason = error === undefined ? "" : `: ${describeThrown(error)}`;
    this.#log.warning("{what}{reason}", { what, reason });
  }

  ended({ method }: KiteRequest, startedAt: number, error?: unknown): void {
    const outcome = error === undefined ? "ok" : describeThrown(error);
    const milliseconds = (performance.now() - startedAt).toFixed(1);
    this.#log.debug("{method}: {outcome} in {milliseconds} ms", { method, outcome, milliseconds });
  }

  failed({ method }: KiteRequest, error: unknown, isAnswered: boolean): void {
    // An error that the handler meant for the caller has reached it.
    if (isAnswered && error instanceof KiteError) return;
    this.#log.error("{method} failed: {reason}", { method, reason: describeThrown(error) });
  }

  flush(): void {
    // Everything is written at once.
  }
}
