import { KiteError, messageOf } from "../protocol/errors.ts";
import { Timer } from "../runtime/timer.ts";
import type { Session } from "./session.ts";

/**
 * Opens a session over a transport of your own.
 *
 * @param url the URL of the client
 * @param signal aborted when nobody waits for the session any more
 */
export type Connect = (url: string, signal: AbortSignal) => Session | Promise<Session>;

/** Options of {@linkcode connectCustom}. */
export interface CustomDial {
  /** Milliseconds until the attempt fails. */
  readonly handshakeTimeout: number;
  /** Aborts the attempt. */
  readonly signal: AbortSignal;
}

/**
 * Opens a session with a user's function. A session that comes too late is closed.
 *
 * @throws {KiteError} `sendError` if the function fails; `timeout`; `aborted`
 */
export async function connectCustom(
  connect: Connect,
  url: string,
  { handshakeTimeout, signal }: CustomDial,
): Promise<Session> {
  const attempt = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (error: KiteError): void => {
    attempt.abort(error);
    reject(error);
  };
  const abort = (): void =>
    end(new KiteError("aborted", `Cannot dial ${url}: aborted`, { cause: signal.reason }));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  const timer = new Timer(() =>
    end(
      new KiteError("timeout", `Cannot reach ${url}: no session within ${handshakeTimeout} ms`),
    ), handshakeTimeout);
  try {
    return await Promise.race([ended, open(connect, url, attempt.signal)]);
  } finally {
    timer.clear();
    signal.removeEventListener("abort", abort);
  }
}

async function open(connect: Connect, url: string, signal: AbortSignal): Promise<Session> {
  signal.throwIfAborted();
  let session: Session;
  try {
    session = await connect(url, signal);
  } catch (cause) {
    if (cause instanceof KiteError) throw cause;
    throw new KiteError("sendError", `Cannot reach ${url}: ${messageOf(cause)}`, { cause });
  }
  if (!signal.aborted) return session;
  session.close();
  throw signal.reason;
}
