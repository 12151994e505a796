import { KiteError } from "../protocol/errors.ts";
import { Timer } from "../runtime/timer.ts";

/** The bounds of an attempt to connect. */
export interface AttemptBounds {
  /** Milliseconds until the attempt fails. */
  readonly handshakeTimeout: number;
  /** Aborts the attempt. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs an attempt to connect. Its signal is aborted when the attempt takes too long or is not needed
 * any more.
 *
 * @param shown the URL, for errors
 * @throws {KiteError} `timeout`; `aborted`; what `run` throws
 */
export async function attempt<Result>(
  shown: string,
  { handshakeTimeout, signal }: AttemptBounds,
  run: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const fail = (type: "timeout" | "aborted", reason: string): void =>
    controller.abort(new KiteError(type, reason, { cause: signal?.reason }));
  const timer = new Timer(
    () => fail("timeout", `Cannot reach ${shown}: no session within ${handshakeTimeout} ms`),
    handshakeTimeout,
  );
  const abort = (): void => fail("aborted", `Cannot dial ${shown}: aborted`);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  try {
    controller.signal.throwIfAborted();
    return await run(controller.signal);
  } finally {
    timer.clear();
    signal?.removeEventListener("abort", abort);
  }
}
