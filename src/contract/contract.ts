import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import type { KiteRequest } from "../rpc/request.ts";
import type { TellOptions } from "../rpc/remote.ts";
import type { RemoteStream } from "../rpc/remote_stream.ts";
import type { Tracked } from "../rpc/tracked.ts";
import { KiteError } from "../protocol/errors.ts";
import { type CallableMethod, checkMethod } from "../rpc/api.ts";
import type { Handler } from "../rpc/method.ts";
import { createCall } from "./call.ts";
import { type AnyFunction, createHandler, type ServableMethod } from "./handler.ts";
import {
  type Contract,
  type ContractMethod,
  FUNCTION_KEYWORD,
  type MethodSchemas,
  type Schema,
} from "../rpc/contract_types.ts";

/** Options of one typed call. They follow the arguments that the contract declares. */
export type CallOptions = TellOptions;

/** The functions that a kite must provide to implement a contract. */
export type Implementation<C extends Contract> = {
  readonly [Name in keyof C]: NonNullable<C[Name]["implement"]>;
};

type Inputs<Schemas extends readonly Schema[]> = {
  readonly [Index in keyof Schemas]: StandardSchemaV1.InferInput<Schemas[Index]>;
};

type Outputs<Schemas extends readonly Schema[]> = {
  readonly [Index in keyof Schemas]: StandardSchemaV1.InferOutput<Schemas[Index]>;
};

/** Makes the last arguments optional where `undefined` is accepted. */
type OptionalTail<Args extends readonly unknown[], Tail extends readonly unknown[] = []> =
  Args extends readonly [...infer Rest, infer Last]
    ? undefined extends Last ? OptionalTail<Rest, [Last?, ...Tail]> : [...Args, ...Tail]
    : Tail;

type ArgsOf<S extends MethodSchemas> = S["args"] extends readonly Schema[] ? S["args"]
  : readonly [];

type CallArguments<S extends MethodSchemas> = [
  ...OptionalTail<Inputs<ArgsOf<S>>>,
  options?: CallOptions,
];

/**
 * The arguments of an implementation: those of the call, then the request.
 *
 * @internal
 */
export type ImplementArguments<S extends MethodSchemas> = [
  ...Outputs<ArgsOf<S>>,
  request: KiteRequest,
];

/**
 * The function that a caller gets for a method with schemas.
 *
 * @internal
 */
export type CallOf<S extends MethodSchemas> = S["items"] extends Schema<infer _Input, infer Item>
  ? (...args: CallArguments<S>) => RemoteStream<Item>
  : S["result"] extends Schema<infer _Input, infer Result>
    ? (...args: CallArguments<S>) => Promise<Result>
  : (...args: CallArguments<S>) => Promise<unknown>;

/** The result of a method that streams. `tracked(id, value)` gives an item an id. */
export type Items<Item> = AsyncIterable<Item | Tracked<Item>>;

/** The function that a kite must provide for a method with schemas. */
export type ImplementOf<S extends MethodSchemas> = S["items"] extends
  Schema<infer Item, infer _Output>
  ? (...args: ImplementArguments<S>) => Items<Item> | Promise<Items<Item>>
  : S["result"] extends Schema<infer Result, infer _Output>
    ? (...args: ImplementArguments<S>) => Result | Promise<Result>
  : (...args: ImplementArguments<S>) => unknown;

/**
 * Declares a method with types only. Nothing is checked at run time. The implementation gets the
 * arguments without the request, since the number of arguments is not known at run time.
 *
 * @example
 * ```ts
 * import { contract, method } from "@kite/kite";
 *
 * const math = contract({
 *   add: method<[a: number, b: number], number>(),
 * });
 * ```
 *
 * @typeParam Args the arguments
 * @typeParam Result the result
 */
export function method<Args extends readonly unknown[], Result = void>(): ContractMethod<
  (...args: Args) => Promise<Result>,
  (...args: Args) => Result | Promise<Result>
>;
/**
 * Declares a method whose arguments are checked before its implementation runs.
 *
 * @example
 * ```ts
 * import { method, type } from "@kite/kite";
 *
 * const square = method({ args: [type<number>()], result: type<number>() });
 * console.assert(square.schemas?.args?.length === 1);
 * ```
 *
 * @param schemas the schemas of the arguments and of the result
 * @throws {KiteError} `configError` if both `result` and `items` are given, or a schema does not
 * follow Standard Schema
 */
export function method<const S extends MethodSchemas>(
  schemas: S,
): ContractMethod<CallOf<S>, ImplementOf<S>>;
export function method(schemas?: MethodSchemas): ContractMethod {
  if (schemas !== undefined) checkSchemas(schemas);
  const declared: CallableMethod & ServableMethod = {
    schemas,
    createCall: (remote, name, options) => createCall(remote, name, schemas, options),
    createHandler: (name, run, options) => createHandler(name, schemas, run, options),
  };
  return Object.freeze(declared);
}

/**
 * Creates the handler of a method with schemas that belongs to no contract.
 *
 * @throws {KiteError} `configError` for schemas or an implementation that cannot be used
 */
export function schemaHandler(
  name: string,
  schemas: MethodSchemas,
  implementation: (...args: never[]) => unknown,
): Handler {
  if (typeof implementation !== "function") {
    throw new KiteError("configError", `Cannot handle "${name}": must be a function`);
  }
  checkSchemas(schemas);
  return createHandler(name, schemas, implementation as AnyFunction);
}

/**
 * Declares methods with the types of their arguments and results, for both sides of a call.
 *
 * @example
 * ```ts
 * import { callback, contract, Kite, method, type } from "@kite/kite";
 *
 * const math = contract({
 *   square: method({ args: [type<number>()], result: type<number>() }),
 *   count: method({ args: [type<number>(), callback<[number]>()] }),
 * });
 *
 * const kite = new Kite("math", "1.0.0", { ip: "127.0.0.1", disableAuthentication: true });
 * kite.implement(math, {
 *   square: (n) => n ** 2,
 *   count: (to, tell) => {
 *     for (let n = 1; n <= to; n++) tell(n);
 *   },
 * });
 * await using server = await kite.listen();
 *
 * await using remote = new Kite("exp2", "1.0.0").newClient(server.url);
 * await remote.dial();
 * console.assert(await remote.as(math).square(4) === 16);
 * ```
 *
 * @param methods the methods by name
 * @throws {KiteError} `configError` if a member was not made by {@linkcode method}
 */
export function contract<const C extends Contract>(methods: C): C {
  for (const [name, value] of Object.entries(methods)) {
    checkMethod<CallableMethod>(name, value, "createCall");
  }
  return Object.freeze({ ...methods });
}

/**
 * A schema that accepts every value and gives it the type `Value`.
 *
 * @typeParam Value the type
 * @example
 * ```ts
 * import { method, type } from "@kite/kite";
 *
 * const square = method({ args: [type<number>()], result: type<number>() });
 * console.assert(square.schemas !== undefined);
 * ```
 */
export function type<Value>(): Schema<Value> {
  return standard((value) => ({ value: value as Value }));
}

/**
 * A schema for a function argument: the caller passes a function, and the implementation gets one
 * that calls it on the caller's side.
 *
 * @typeParam Args the arguments of the function
 * @example
 * ```ts
 * import { callback, method } from "@kite/kite";
 *
 * const watch = method({ args: [callback<[progress: number]>()] });
 * console.assert(watch.schemas !== undefined);
 * ```
 */
export function callback<Args extends readonly unknown[] = []>(): Schema<
  (...args: Args) => unknown,
  ((...args: Args) => unknown) & Disposable
> {
  type Remote = ((...args: Args) => unknown) & Disposable;
  return standard<(...args: Args) => unknown, Remote>(
    (value) =>
      typeof value === "function"
        ? { value: value as Remote }
        : { issues: [{ message: "must be a function" }] },
    { [FUNCTION_KEYWORD]: true },
  );
}

function standard<Input, Output = Input>(
  validate: (value: unknown) => StandardSchemaV1.Result<Output>,
  described: Record<string, unknown> = {},
): Schema<Input, Output> {
  const describe = (): Record<string, unknown> => ({ ...described });
  const jsonSchema: StandardJSONSchemaV1.Converter = { input: describe, output: describe };
  const properties = { version: 1, vendor: "kite", validate, jsonSchema } as const;
  return { "~standard": properties };
}

function checkSchemas({ args = [], result, items }: MethodSchemas): void {
  if (!Array.isArray(args)) {
    throw new KiteError("configError", "Cannot make a method: args must be an array of schemas");
  }
  if (result !== undefined && items !== undefined) {
    throw new KiteError("configError", "Cannot make a method: give either result or items");
  }
  for (const [name, schema] of [...args.entries(), ["result", result], ["items", items]] as const) {
    if (schema === undefined && typeof name === "string") continue;
    if (typeof schema?.["~standard"]?.validate !== "function") {
      const where = typeof name === "number" ? `args[${name}]` : name;
      throw new KiteError(
        "configError",
        `Cannot make a method: ${where} must be a schema that follows Standard Schema`,
      );
    }
  }
}
