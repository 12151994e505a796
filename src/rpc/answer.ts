import { type ErrorObject, KiteError, messageOf } from "../protocol/errors.ts";

/** A decoded answer: an error or a result. */
export interface Answer {
  readonly error: KiteError | undefined;
  readonly result: unknown;
}

/**
 * Reads the arguments of an answer, in all forms that peers send (docs/protocol.md §4).
 *
 * | arguments | meaning |
 * |---|---|
 * | one object with an `error` or `result` key | that error or result (Go) |
 * | `[]`, `[null]`, `[{}]` | success without a result |
 * | `[null, {"error": …}]` | that error (kite.js) |
 * | two elements otherwise | `[error, result]` (kite.js) |
 * | one other object, or a string | the error |
 */
export function readAnswer(args: readonly unknown[]): Answer {
  if (args.length >= 2) return readPair(args[0], args[1]);
  const only = args[0];
  if (only === undefined || only === null) return { error: undefined, result: undefined };
  if (isObject(only)) {
    const hasResult = Object.hasOwn(only, "result");
    if (Object.hasOwn(only, "error") || hasResult) {
      if (isFailure(only.error)) return failure(only.error);
      return { error: undefined, result: only.result };
    }
    if (Object.keys(only).length === 0) return { error: undefined, result: undefined };
  }
  if (isObject(only) || typeof only === "string") return failure(only);
  const reason = `must be an object, got ${Array.isArray(only) ? "an array" : `a ${typeof only}`}`;
  const error = new KiteError("invalidResponse", `Cannot read the answer: ${reason}`);
  return { error, result: undefined };
}

function readPair(error: unknown, result: unknown): Answer {
  if (isFailure(error)) return failure(error);
  if (isObject(result)) {
    const keys = Object.keys(result);
    if (keys.length === 1 && keys[0] === "error" && isFailure(result.error)) {
      return failure(result.error);
    }
  }
  return { error: undefined, result };
}

function isFailure(error: unknown): boolean {
  return error !== undefined && error !== null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function failure(value: unknown): Answer {
  return { error: readError(value), result: undefined };
}

/** Reads the error of an answer: an object with any of the four fields, or only a message. */
export function readError(value: unknown): KiteError {
  if (!isObject(value)) return new KiteError("genericError", text(value) || "unknown error");
  const type = text(value.type) || "genericError";
  const message = text(value.message) || type;
  return new KiteError(type, message, { code: text(value.code), id: text(value.id) });
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

/**
 * Converts a value that a handler threw to the error of an answer. Keeps the `type` and `code` of an
 * error; without a type, it becomes a `genericError`. Stacks and causes are not sent. Never throws, even
 * for values from a remote and objects whose properties throw.
 *
 * @param id the id of the failed request
 */
export function errorObject(thrown: unknown, id: string): ErrorObject {
  try {
    return readThrown(thrown, id);
  } catch {
    return { type: "genericError", message: messageOf(thrown), code: "", id };
  }
}

function readThrown(thrown: unknown, id: string): ErrorObject {
  if (thrown instanceof KiteError) {
    const { type, message, code } = thrown;
    return { type, message, code, id: id || thrown.id };
  }
  if (thrown instanceof Error) {
    const { type, code } = thrown as { type?: unknown; code?: unknown };
    return {
      type: text(type) || "genericError",
      message: messageOf(thrown),
      code: text(code),
      id,
    };
  }
  if (isObject(thrown) && (thrown.message !== undefined || thrown.type !== undefined)) {
    const { type, message, code } = readError(thrown);
    return { type, message, code, id };
  }
  return { type: "genericError", message: messageOf(thrown), code: "", id };
}
