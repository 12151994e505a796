/**
 * The error types that kites agree on. `methodNotFound` … `genericError` travel in answers;
 * `timeout` … `invalidResponse` arise on the caller's own side; the rest are refusals of bad input
 * that never leave the process. A handler may throw any other type of its own: it travels as it is.
 */
export type KiteErrorType =
  | "methodNotFound"
  | "argumentError"
  | "authenticationError"
  | "requestLimitError"
  | "notAllowed"
  | "genericError"
  | "timeout"
  | "aborted"
  | "disconnect"
  | "sendError"
  | "invalidResponse"
  | "limitError"
  | "protocolError"
  | "configError";

/** A name of {@linkcode KiteErrorType}, or a type that a handler made up. */
// deno-lint-ignore ban-types -- keeps completion for the known names
export type AnyErrorType = KiteErrorType | (string & {});

/** The shape of an error inside an answer (docs/protocol.md §4). */
export interface ErrorObject {
  readonly type: string;
  readonly message: string;
  readonly code: string;
  readonly id: string;
}

/** What can be said of a {@linkcode KiteError} beside its type and message. */
export interface KiteErrorOptions {
  /**
   * A finer code of the thrower's own.
   *
   * @default ""
   */
  readonly code?: string;
  /**
   * The request that failed, 16 hex digits.
   *
   * @default ""
   */
  readonly id?: string;
  /** What led to it; stays in this process. */
  readonly cause?: unknown;
}

/**
 * Every error that this library throws or answers with.
 *
 * @example A handler's own type and code reach the caller
 * ```ts
 * import { KiteError } from "@kite/kite";
 *
 * const error = new KiteError("quotaError", "no seats left", { code: "E42" });
 * console.assert(String(error) === "quotaError: no seats left");
 * ```
 */
export class KiteError extends Error {
  /** `"KiteError"`. */
  override readonly name: string = "KiteError";
  /** What kind of error it is. */
  readonly type: AnyErrorType;
  /** A finer code of the thrower's own, or `""`. */
  readonly code: string;
  /** The request that failed, or `""`. */
  readonly id: string;
  /** The method whose call failed, on errors that a call rejects with. */
  declare readonly method?: string;
  /** The URL (or the address) of the kite that was called, on errors that a call rejects with. */
  declare readonly url?: string;

  /**
   * An error that nobody has answered with yet.
   *
   * @param type what kind of error it is
   * @param message what is wrong, and what would be right
   */
  constructor(type: AnyErrorType, message: string, options: KiteErrorOptions = {}) {
    super(
      textOf(message, "unknown error"),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    // A handler may pass on what a remote sent, which can be anything.
    this.type = textOf(type, "genericError");
    this.code = textOf(options.code, "");
    this.id = textOf(options.id, "");
  }

  /** `type: message (id)`, without the type for `genericError` (docs/protocol.md §4). */
  override toString(): string {
    const type = this.type === "genericError" ? "" : `${this.type}: `;
    return `${type}${this.message}${this.id === "" ? "" : ` (${this.id})`}`;
  }

  /** True if the error's code is one of `codes`. */
  codeIs(...codes: readonly string[]): boolean {
    return codes.includes(this.code);
  }

  /** True if the error's code is none of `codes`. */
  codeIsnt(...codes: readonly string[]): boolean {
    return !codes.includes(this.code);
  }
}

const UNPRINTABLE = "a value that cannot be printed was thrown";

function textOf(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

/** The message of what was thrown, without its type. Never throws, whatever was thrown. */
export function messageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.message || thrown.name}` : String(thrown);
  } catch {
    return UNPRINTABLE;
  }
}

/** What was thrown with its type, such as `TypeError: x is not a function`. Never throws. */
export function describeThrown(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return UNPRINTABLE;
  }
}
