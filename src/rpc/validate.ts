import type { StandardSchemaV1 } from "@standard-schema/spec";
import { KiteError, type KiteErrorType } from "../protocol/errors.ts";
import type { Schema } from "./contract_types.ts";

/** Maximum number of issues in an error message. */
const MOST_ISSUES = 5;
/**
 * Maximum number of characters of one issue, since schemas may quote the value that they refuse.
 */
const ISSUE_LENGTH = 200;
/** Maximum number of path segments in an error message. */
const PATH_LENGTH = 16;

/**
 * Checks the arguments of a call, in order. Arguments beyond the schemas are dropped, so that a
 * newer caller can call an older kite.
 *
 * @param methodName the method, for the error
 * @returns the values that the schemas return; a promise of them if a schema is asynchronous
 * @throws {KiteError} `argumentError` that names the argument and the path in it
 */
export function validateArguments(
  methodName: string,
  schemas: readonly Schema[],
  values: readonly unknown[],
): unknown[] | Promise<unknown[]> {
  const checked = new Array<unknown>(schemas.length);
  for (let index = 0; index < schemas.length; index++) {
    const result = validateArgument(schemas[index]!, values[index]);
    if (result instanceof Promise) {
      return finishLater(methodName, schemas, values, checked, index, result);
    }
    checked[index] = argumentOf(result, methodName, index);
  }
  return checked;
}

/** How an error describes a value that is not an argument. */
export interface ValueContext {
  /** What cannot be done with the value, such as `Cannot return from "square"`. */
  readonly action: string;
  /** What the value is, such as `result`. */
  readonly place: string;
  /** The type of the error. */
  readonly type: KiteErrorType;
}

/**
 * Checks a result or an item of a stream.
 *
 * @returns the value that the schema returns; a promise of it if the schema is asynchronous
 * @throws {KiteError} of the given type, which names the path in the value
 */
export function validateValue(schema: Schema, value: unknown, context: ValueContext): unknown {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise
    ? result.then((settled) => valueOf(settled, context))
    : valueOf(result, context);
}

function argumentOf(
  result: StandardSchemaV1.Result<unknown>,
  methodName: string,
  index: number,
): unknown {
  if (result.issues === undefined) return result.value;
  return valueOf(result, {
    action: `Cannot call "${methodName}"`,
    place: `argument ${index + 1}`,
    type: "argumentError",
  });
}

async function finishLater(
  methodName: string,
  schemas: readonly Schema[],
  values: readonly unknown[],
  checked: unknown[],
  start: number,
  first: Promise<StandardSchemaV1.Result<unknown>>,
): Promise<unknown[]> {
  let result: StandardSchemaV1.Result<unknown> = await first;
  for (let index = start;;) {
    checked[index] = argumentOf(result, methodName, index);
    index++;
    if (index === schemas.length) return checked;
    result = await validateArgument(schemas[index]!, values[index]);
  }
}

/** JSON has no `undefined`: an optional argument before another one arrives as `null`. */
function validateArgument(
  schema: Schema,
  value: unknown,
): StandardSchemaV1.Result<unknown> | Promise<StandardSchemaV1.Result<unknown>> {
  const { validate } = schema["~standard"];
  const result = validate(value);
  if (value !== null) return result;
  const retry = (refused: StandardSchemaV1.Result<unknown>) => {
    if (refused.issues === undefined) return refused;
    const accepts = (settled: StandardSchemaV1.Result<unknown>) =>
      settled.issues === undefined ? settled : refused;
    const second = validate(undefined);
    return second instanceof Promise ? second.then(accepts) : accepts(second);
  };
  return result instanceof Promise ? result.then(retry) : retry(result);
}

function valueOf(result: StandardSchemaV1.Result<unknown>, context: ValueContext): unknown {
  if (result.issues === undefined) return result.value;
  const { action, place, type } = context;
  const issues = result.issues.slice(0, MOST_ISSUES).map((issue) => describeIssue(issue, place));
  const more = result.issues.length - issues.length;
  throw new KiteError(type, `${action}: ${issues.join("; ")}${more > 0 ? `; ${more} more` : ""}`);
}

function describeIssue({ message, path = [] }: StandardSchemaV1.Issue, place: string): string {
  const steps = path.slice(0, PATH_LENGTH).map((step) =>
    typeof step === "object" && step !== null ? step.key : step
  );
  let where = place;
  for (const step of steps) {
    where += typeof step === "number" ? `[${step}]` : `.${String(step).slice(0, 64)}`;
  }
  return `${where}: ${message.slice(0, ISSUE_LENGTH)}`;
}
