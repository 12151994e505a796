import { KiteError } from "../../src/protocol/errors.ts";
import type { OperationOptions, Storage } from "./storage.ts";

/**
 * What went wrong in a storage: the server is not there, did not answer in time, answered with an
 * error, or the storage object was closed before.
 */
export type StorageErrorCode = "unreachable" | "timeout" | "failed" | "closed";

/** An error of type `storageError`: `message` names the storage and what it could not do. */
export function storageError(
  kind: Storage["kind"],
  code: StorageErrorCode,
  what: string,
  cause?: unknown,
): KiteError {
  return new KiteError("storageError", `${kind} storage: ${what}`, { code, cause });
}

/** A message for people, of whatever was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") {
    return error.errors.map(messageOf).join(", ");
  }
  return error instanceof Error && error.message !== "" ? error.message : String(error);
}

/** What {@linkcode bounded} needs to know of the operation. */
export interface Bound {
  /** Whose operation it is. */
  readonly kind: Storage["kind"];
  /** What it does, to name it in the error: "read the registrations". */
  readonly what: string;
  /** Milliseconds. */
  readonly timeout: number;
  /** What the caller gave. */
  readonly options: OperationOptions | undefined;
  /** Called once the wait is over without an answer, to give up what is under way. */
  readonly giveUp?: () => void;
}

/** Waits for `operation`, at most as long as `bound` says. */
export function bounded<T>(bound: Bound, operation: Promise<T>): Promise<T> {
  const signal = bound.options?.signal;
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    const leave = (error: KiteError): void => {
      settle();
      reject(error);
      bound.giveUp?.();
    };
    const onAbort = (): void => leave(abortedError(bound.what));
    const timer = setTimeout(() => {
      const what = `could not ${bound.what} within ${bound.timeout} ms`;
      leave(storageError(bound.kind, "timeout", what));
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

/** Throws when the caller has given up already. */
export function throwIfAborted(options: OperationOptions | undefined, what: string): void {
  if (options?.signal?.aborted) throw abortedError(what);
}

function abortedError(what: string): KiteError {
  return new KiteError("aborted", `the wait was given up: ${what}`);
}
