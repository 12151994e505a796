import { KiteError } from "../protocol/errors.ts";
import type { Handler, Method } from "../rpc/method.ts";
import type { Methods } from "../rpc/methods.ts";
import type { KiteRequest } from "../rpc/request.ts";
import type { Contract, ContractMethod, MethodSchemas, Schema } from "../rpc/contract_types.ts";
import { type Implementation, method } from "./contract.ts";
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

/** The methods of a kite that implement a contract, to set hooks, throttle and authentication. */
export type ImplementedMethods<C extends Contract> = { readonly [Name in keyof C]: Method };

/** A function that implements a method. Its type was checked against the contract. */
type AnyFunction = (...args: unknown[]) => unknown;

/**
 * Adds a handler for each method of a contract.
 *
 * @param target the methods of the kite
 * @throws {KiteError} `configError` if a function is missing, or one is not in the contract
 */
export function implementContract<C extends Contract>(
  target: Pick<Methods, "handle">,
  contract: C,
  implementation: Implementation<C>,
  options: ImplementOptions = {},
): ImplementedMethods<C> {
  const functions = implementation as Readonly<Record<string, unknown>>;
  checkNames(contract, functions);
  const methods: Record<string, Method> = {};
  for (const [name, declared] of Object.entries<ContractMethod>(contract)) {
    // Called on the implementation, so that it can be an instance of a class.
    const run: AnyFunction = (...args) => (functions[name] as AnyFunction).apply(functions, args);
    methods[name] = target.handle(
      name,
      contractHandler(name, declared, run, options),
      declared.schemas,
    );
  }
  return methods as ImplementedMethods<C>;
}

/** Creates the handler of a method with schemas that belongs to no contract. */
export function schemaHandler(
  name: string,
  schemas: MethodSchemas,
  implementation: (...args: never[]) => unknown,
): Handler {
  if (typeof implementation !== "function") {
    throw new KiteError("configError", `Cannot handle "${name}": must be a function`);
  }
  return contractHandler(name, method(schemas), implementation as AnyFunction);
}

/** Creates a handler that checks the arguments of a call and runs its implementation. */
export function contractHandler(
  name: string,
  { schemas }: ContractMethod,
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

function checkNames(contract: Contract, functions: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(contract)) {
    if (typeof functions[name] !== "function") {
      throw new KiteError("configError", `Cannot implement "${name}": must be a function`);
    }
  }
  for (const name of Object.keys(functions)) {
    if (!Object.hasOwn(contract, name)) {
      throw new KiteError("configError", `Cannot implement "${name}": it is not in the contract`);
    }
  }
}
