import { type AnyErrorType, KiteError } from "./errors.ts";
import { nearestName } from "./nearest.ts";
import { quote } from "./quote.ts";

/** Options of {@linkcode cannotUse}. */
export interface RefusalOptions {
  /** The rejected value. Leave it out for secrets, which no message may show. */
  readonly value?: unknown;
  /** @default "configError" */
  readonly type?: AnyErrorType;
  /** The underlying error. */
  readonly cause?: unknown;
}

/**
 * Creates the error for an option, variable, flag or argument that cannot be used. All such errors
 * of the library have this form.
 *
 * @param name what the user calls it: `port`, `KITE_PORT`, `-port`
 * @param rule what is accepted, beginning with a verb: `must be an integer from 0 to 65535`
 *
 * @example
 * ```ts
 * import { cannotUse } from "./refusal.ts";
 *
 * const error = cannotUse("port", "must be an integer from 0 to 65535", { value: 70_000 });
 * console.assert(error.message === "Cannot use port 70000: must be an integer from 0 to 65535");
 * ```
 */
export function cannotUse(name: string, rule: string, options: RefusalOptions = {}): KiteError {
  const { type = "configError", cause } = options;
  const shown = "value" in options ? ` ${show(options.value)}` : "";
  return new KiteError(type, `Cannot use ${name}${shown}: ${rule}`, { cause });
}

/**
 * Creates the error for an unknown name, with the nearest known one as a hint.
 *
 * @param kind what the name stands for: `option`, `limits option`, `flag`
 */
export function unknownName(
  kind: string,
  name: string,
  names: readonly string[],
  type: AnyErrorType = "configError",
): KiteError {
  const near = nearestName(name, names);
  const rule = near === undefined ? `must be one of ${names.join(", ")}` : `did you mean ${near}?`;
  return cannotUse(kind, rule, { value: name, type });
}

function show(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "string") return quote(value);
  return `of type ${value === null ? "null" : Array.isArray(value) ? "array" : typeof value}`;
}
