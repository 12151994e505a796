/**
 * The error types that kites and this library use. The types from `methodNotFound` to
 * `genericError` are sent in answers. Those from `timeout` to `invalidResponse` arise on the
 * caller's side. The others arise on either side. A handler may throw an error of any other type;
 * the type is sent unchanged.
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
  | "released"
  | "protocolError"
  | "configError";

/** A {@linkcode KiteErrorType}, or a type that a handler defines. */
// deno-lint-ignore ban-types -- keeps completion for the known names
export type AnyErrorType = KiteErrorType | (string & {});

/** The shape of an error inside an answer (docs/protocol.md §4). */
export interface ErrorObject {
  readonly type: string;
  readonly message: string;
  readonly code: string;
  readonly id: string;
}

/** The optional fields of a {@linkcode KiteError}. */
export interface KiteErrorOptions {
  /**
   * A more specific code, defined by the thrower.
   *
   * @default ""
   */
  readonly code?: string;
  /**
   * The id of the failed request, 16 hex digits.
   *
   * @default ""
   */
  readonly id?: string;
  /** The underlying error. It is never sent to a remote. */
  readonly cause?: unknown;
}

/**
 * Every error that this library throws or sends as an answer.
 *
 * @example A type and code defined by a handler, which reach the caller
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
  /** A more specific code, defined by the thrower; `""` if none. */
  readonly code: string;
  /** The id of the failed request, or `""`. */
  readonly id: string;
  /** The method whose call failed, on errors that a call rejects with. */
  declare readonly method?: string;
  /** The URL (or the address) of the kite that was called, on errors that a call rejects with. */
  declare readonly url?: string;

  /**
   * Creates an error, to throw in a handler.
   *
   * @param type what kind of error it is
   * @param message what is wrong, and what is accepted
   */
  constructor(type: AnyErrorType, message: string, options: KiteErrorOptions = {}) {
    super(
      textOf(message, "unknown error"),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    // A handler may pass on values from a remote, which can have any type.
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

  /** True if the error's code is not one of `codes`. */
  codeIsnt(...codes: readonly string[]): boolean {
    return !codes.includes(this.code);
  }
}

const UNPRINTABLE = "a value that cannot be printed was thrown";

function textOf(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

/** Returns the message of a thrown value, without its type. Never throws. */
export function messageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.message || thrown.name}` : String(thrown);
  } catch {
    return UNPRINTABLE;
  }
}

/** Describes a thrown value with its type, such as `TypeError: x is not a function`. Never throws. */
export function describeThrown(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return UNPRINTABLE;
  }
}
