import { KiteError } from "../protocol/errors.ts";
import type { Teller } from "../rpc/api.ts";
import type { MethodSchemas } from "../rpc/contract_types.ts";
import type { ApiOptions, TellOptions } from "../rpc/remote.ts";
import { RemoteItems } from "../rpc/remote_items.ts";
import { validateValue } from "../rpc/validate.ts";

type Check = (value: unknown) => unknown;

/**
 * Creates the function that a caller gets for a method of a contract.
 *
 * @param options options of every call; those given with a call override them
 */
export function createCall(
  remote: Teller,
  name: string,
  schemas: MethodSchemas | undefined,
  { validateResults = false, ...defaults }: ApiOptions,
): unknown {
  if (schemas === undefined) {
    return (...args: unknown[]) => remote.tellWith(defaults, name, ...args);
  }
  const { args: { length: arity } = [], result, items, idempotent } = schemas;
  const base: TellOptions = idempotent === undefined ? defaults : { ...defaults, idempotent };
  const call = (args: unknown[]): Promise<unknown> => {
    if (args.length <= arity) return remote.tellWith(base, name, ...args);
    const last = callOptions(name, arity, args.slice(arity));
    return remote.tellWith({ ...base, ...last }, name, ...args.slice(0, arity));
  };
  const check = (schema: MethodSchemas["result"], place: string): Check | undefined =>
    schema === undefined || !validateResults ? undefined : (value) =>
      validateValue(schema, value, {
        action: `Cannot use the answer of "${name}"`,
        place,
        type: "invalidResponse",
      });
  if (items !== undefined) {
    const checkItem = check(items, "item");
    return (...args: unknown[]) => {
      const own = callOptions(name, arity, args.slice(arity));
      return new RemoteItems({
        name,
        options: { ...base, ...own },
        call: (options) => remote.tellWith(options, name, ...args.slice(0, arity)),
        check: checkItem,
      });
    };
  }
  const checkResult = check(result, "result");
  if (checkResult === undefined) return (...args: unknown[]) => call(args);
  return async (...args: unknown[]) => await checkResult(await call(args));
}

/** @param rest what follows the arguments that the contract declares */
function callOptions(name: string, arity: number, rest: readonly unknown[]): TellOptions {
  const [options] = rest;
  if (rest.length <= 1) {
    if (options === undefined) return {};
    if (typeof options === "object" && options !== null && !Array.isArray(options)) return options;
  }
  throw new KiteError(
    "argumentError",
    `Cannot call "${name}": it takes ${arity} argument${arity === 1 ? "" : "s"}, ` +
      "and then an object of options",
  );
}
