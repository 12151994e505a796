import { KiteError, messageOf } from "../protocol/errors.ts";
import { attempt, type AttemptBounds } from "./attempt.ts";
import type { Session } from "./session.ts";

/**
 * Opens a session over a transport of your own.
 *
 * @param url the URL of the client
 * @param signal aborted when nobody waits for the session any more
 */
export type Connect = (url: string, signal: AbortSignal) => Session | Promise<Session>;

/**
 * Opens a session with a function of the user. If the function returns after the timeout or the
 * abort, its session is closed.
 *
 * @throws {KiteError} `sendError` if the function fails; `timeout`; `aborted`
 */
export function connectCustom(
  connect: Connect,
  url: string,
  bounds: AttemptBounds,
): Promise<Session> {
  return attempt(url, bounds, (signal) => {
    const { promise: ended, reject } = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    return Promise.race([ended, open(connect, url, signal)]);
  });
}

async function open(connect: Connect, url: string, signal: AbortSignal): Promise<Session> {
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
