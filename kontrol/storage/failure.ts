import { KiteError, messageOf } from "../../src/protocol/errors.ts";
import type { OperationOptions, Storage } from "./storage.ts";

/**
 * The `code` of a storage error: no connection to the server, no answer in time, an error from the
 * server, or an operation after `close`.
 */
export type StorageErrorCode = "unreachable" | "timeout" | "failed" | "closed";

/**
 * Creates an error of type `storageError`.
 *
 * @param what the operation: `read the registrations`
 * @param reason why it failed
 */
export function storageError(
  kind: Storage["kind"],
  code: StorageErrorCode,
  what: string,
  reason: string,
  cause?: unknown,
): KiteError {
  return new KiteError("storageError", `Cannot ${what} (${kind} storage): ${reason}`, {
    code,
    cause,
  });
}

/** The error for an operation that got no answer within `timeout` milliseconds. */
export function timeoutError(kind: Storage["kind"], what: string, timeout: number): KiteError {
  return storageError(kind, "timeout", what, `no answer within ${timeout} ms`);
}

/** The message of what was thrown; of an AggregateError without one, the messages of its errors. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") {
    return error.errors.map(reasonOf).join(", ");
  }
  return messageOf(error);
}

/** The default of {@linkcode StorageOptions.onError}. */
export function ignoreError(): void {}

/** An operation that {@linkcode bounded} waits for. */
export interface Bound {
  /** The storage that runs it. */
  readonly kind: Storage["kind"];
  /** What it does, for errors: `read the registrations`. */
  readonly what: string;
  /** Milliseconds. */
  readonly timeout: number;
  /** The caller's options. */
  readonly options: OperationOptions | undefined;
  /** Called after a timeout or an abort, to cancel the operation. */
  readonly giveUp?: () => void;
}

/** Waits for `operation` until its timeout, or until the caller aborts it. */
export function bounded<T>(bound: Bound, operation: Promise<T>): Promise<T> {
  const signal = bound.options?.signal;
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    const fail = (error: KiteError): void => {
      settle();
      reject(error);
      bound.giveUp?.();
    };
    const onAbort = (): void => fail(abortedError(bound.what));
    const timer = setTimeout(() => {
      fail(timeoutError(bound.kind, bound.what, bound.timeout));
    }, bound.timeout);
    operation.then((value) => {
      settle();
      resolve(value);
    }, (error) => {
      settle();
      reject(error);
    });
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** @throws {KiteError} `aborted`, if the caller's signal is already aborted */
export function throwIfAborted(options: OperationOptions | undefined, what: string): void {
  if (options?.signal?.aborted) throw abortedError(what);
}

function abortedError(what: string): KiteError {
  return new KiteError("aborted", `Cannot ${what}: the caller aborted it`);
}
