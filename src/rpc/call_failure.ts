import type { KiteError } from "../protocol/errors.ts";

/** Where a failed call went. */
export interface CallTarget {
  readonly method: string;
  /** The remote's URL, or its address when it dialled us. */
  readonly url: string;
}

/**
 * A rejected promise for a failed call. Once a caller awaits it, directly or through a promise that
 * was resolved with it, the error's stack shows the caller's own lines, and its `method`, `url` and
 * `cause` tell which call failed.
 *
 * V8 finds the awaiting functions by following promises from the microtask that captures the stack.
 * So the stack is captured in a reaction, one turn late: by then the caller's promise waits for the
 * reaction's. Calls that succeed pay nothing for this.
 */
export function failedCall(error: KiteError, target: CallTarget): Promise<never> {
  const fail = (error: KiteError): never => {
    describe(error, target);
    captureStack(error, fail);
    throw error;
  };
  return Promise.reject(error).catch(rethrow).catch(fail);
}

function rethrow(error: unknown): never {
  throw error;
}

function describe(error: KiteError, { method, url }: CallTarget): void {
  if (error.method !== undefined || !Object.isExtensible(error)) return;
  define(error, "method", method, true);
  define(error, "url", url, true);
  if (error.cause !== undefined) return;
  // Shown below an uncaught error, of which runtimes print no more than its name and message.
  const call = new Error(`calling "${method}" at ${url} failed with ${error.type}`);
  call.name = "KiteCall";
  call.stack = `${call.name}: ${call.message}`;
  define(error, "cause", call, false);
}

/** Replaces the stack, which leads to the socket, if there is one that leads to the caller. */
function captureStack(error: KiteError, above: (error: KiteError) => never): void {
  const former = error.stack;
  Error.captureStackTrace?.(error, above);
  if (!error.stack?.includes("\n    at async ") && former !== undefined) error.stack = former;
}

function define(error: KiteError, name: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, name, { value, enumerable, configurable: true, writable: true });
}
