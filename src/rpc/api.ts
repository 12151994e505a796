import { KiteError } from "../protocol/errors.ts";
import type { Api, Contract, ContractMethod } from "./contract_types.ts";
import type { ApiOptions, RemoteKite } from "./remote.ts";

/** The methods of a remote that typed functions use. */
export type Teller = Pick<RemoteKite, "tellWith">;

/**
 * A method of a contract, from the caller's point of view. It brings the code of typed calls, which
 * only programs with contracts load.
 */
export interface CallableMethod extends ContractMethod {
  /** Creates the function that a caller gets. */
  createCall(remote: Teller, name: string, options: ApiOptions): unknown;
}

/**
 * Creates the typed functions of a contract for one remote.
 *
 * @param options options of every call; those given with a call override them
 * @throws {KiteError} `configError` if a member of the contract was not made by `method`
 */
export function createApi<C extends Contract>(
  remote: Teller,
  contract: C,
  options: ApiOptions = {},
): Api<C> {
  const functions: Record<string, unknown> = {};
  for (const [name, declared] of Object.entries(contract)) {
    checkMethod<CallableMethod>(name, declared, "createCall");
    functions[name] = declared.createCall(remote, name, options);
  }
  return Object.freeze(functions) as Api<C>;
}

/** Checks a member of a contract, which callers without types may have made themselves. */
export function checkMethod<Declared extends ContractMethod>(
  name: string,
  declared: ContractMethod,
  member: keyof Declared,
): asserts declared is Declared {
  if (typeof (declared as Declared | undefined)?.[member] === "function") return;
  throw new KiteError("configError", `Cannot use "${name}" in a contract: must be a method(…)`);
}
