import type { ContractMethod, MethodSchemas, Schema } from "../rpc/contract_types.ts";
import type { Handler } from "../rpc/method.ts";
import type { KiteRequest } from "../rpc/request.ts";
import { readTracked, tracked } from "../rpc/tracked.ts";
import { validateArguments, validateValue } from "../rpc/validate.ts";

/** How a kite serves the methods of a contract. */
export interface ImplementOptions {
  /**
   * Checks results and items against their schemas before they are sent. This takes as long as
   * checking the arguments.
   *
   * @default false
   */
  readonly validateResults?: boolean;
}

/** A function that implements a method. Its type was checked against the contract. */
export type AnyFunction = (...args: unknown[]) => unknown;

/**
 * A method of a contract, from the point of view of a kite that implements it. It brings the code of
 * checked arguments, which only programs with contracts load.
 */
export interface ServableMethod extends ContractMethod {
  /** Creates the handler that runs an implementation. */
  createHandler(name: string, run: AnyFunction, options: ImplementOptions): Handler;
}

/** Creates a handler that checks the arguments of a call and runs its implementation. */
export function createHandler(
  name: string,
  schemas: MethodSchemas | undefined,
  run: AnyFunction,
  { validateResults = false }: ImplementOptions = {},
): Handler {
  if (schemas === undefined) return (request) => run(...request.args.values);
  const { args = [], result, items } = schemas;
  const finish = !validateResults
    ? undefined
    : result !== undefined
    ? (value: unknown) => checkResult(name, result, value)
    : items !== undefined
    ? (value: unknown) => checkItems(name, items, value)
    : undefined;
  const call = finish === undefined
    ? run
    : async (...values: unknown[]) => await finish(await run(...values));
  return (request: KiteRequest) => {
    const values = validateArguments(name, args, request.args.values);
    if (values instanceof Promise) return values.then((checked) => call(...checked, request));
    values.push(request);
    return call(...values);
  };
}

/** Checks a result. The error is a `genericError`, since the caller's arguments were valid. */
function checkResult(name: string, schema: Schema, value: unknown): unknown {
  return validateValue(schema, value, {
    action: `Cannot return from "${name}"`,
    place: "result",
    type: "genericError",
  });
}

async function* checkItems(name: string, schema: Schema, items: unknown): AsyncGenerator<unknown> {
  for await (const item of items as AsyncIterable<unknown>) {
    const position = readTracked(item);
    const value = await validateValue(schema, position === undefined ? item : position.value, {
      action: `Cannot stream from "${name}"`,
      place: "item",
      type: "genericError",
    });
    yield position === undefined ? value : tracked(position.id, value);
  }
}
