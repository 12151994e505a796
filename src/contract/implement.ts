import { KiteError } from "../protocol/errors.ts";
import { checkMethod } from "../rpc/api.ts";
import type { Contract, ContractMethod } from "../rpc/contract_types.ts";
import type { Method } from "../rpc/method.ts";
import type { Methods } from "../rpc/methods.ts";
import type { Implementation } from "./contract.ts";
import type { AnyFunction, ImplementOptions, ServableMethod } from "./handler.ts";

/**
 * The methods of a kite that implement a contract, to set their hooks, throttling and
 * authentication.
 */
export type ImplementedMethods<C extends Contract> = { readonly [Name in keyof C]: Method };

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
    checkMethod<ServableMethod>(name, declared, "createHandler");
    // Called on the implementation, so that it can be an instance of a class.
    const run: AnyFunction = (...args) => (functions[name] as AnyFunction).apply(functions, args);
    const handler = declared.createHandler(name, run, options);
    methods[name] = target.handle(name, handler, declared.schemas);
  }
  return methods as ImplementedMethods<C>;
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
