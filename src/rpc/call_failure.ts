import type { KiteError } from "../protocol/errors.ts";

/** The target of a failed call. */
export interface CallTarget {
  /** The method's name; callers without types may have passed anything. */
  readonly method: unknown;
  /** The remote's URL, or its address if it has dialled this side. */
  readonly url: string;
  /** True if the call had been sent, so that the error was created by the code of the socket. */
  readonly wasSent?: boolean;
}

/**
 * Returns a rejected promise for a failed call. When a caller awaits it, directly or through
 * another promise, the error's stack shows the caller, and its `method`, `url` and `cause` describe
 * the call.
 *
 * V8 finds awaiting functions by following promises from the microtask that captures the stack. The
 * stack is therefore captured in a later reaction, when the caller's promise already depends on it.
 * Successful calls have no overhead. The stack is formatted when it is read, which takes longer than
 * the call.
 */
export function failedCall(error: KiteError, target: CallTarget): Promise<never> {
  const fail = (error: KiteError): never => {
    describe(error, target);
    if (target.wasSent) Error.captureStackTrace?.(error, fail);
    else captureStack(error, fail);
    throw error;
  };
  return Promise.reject(error).catch(rethrow).catch(fail);
}

function rethrow(error: unknown): never {
  throw error;
}

function describe(error: KiteError, { method: given, url }: CallTarget): void {
  const method = typeof given === "string" ? given : "";
  if (error.method !== undefined || !Object.isExtensible(error)) return;
  define(error, "method", method, true);
  define(error, "url", url, true);
  if (error.cause !== undefined) return;
  // Runtimes print only the name and message of an uncaught error, and its cause.
  const call = new Error(`Cannot call "${method}" at ${url}: ${error.type}`);
  call.name = "KiteCall";
  call.stack = `${call.name}: ${call.message}`;
  define(error, "cause", call, false);
}

/**
 * Replaces the stack, which leads to the caller's line but not beyond an `await`, by the complete one
 * if it is available.
 */
function captureStack(error: KiteError, above: (error: KiteError) => never): void {
  const former = error.stack;
  Error.captureStackTrace?.(error, above);
  if (!error.stack?.includes("\n    at async ") && former !== undefined) error.stack = former;
}

function define(error: KiteError, name: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, name, { value, enumerable, configurable: true, writable: true });
}
