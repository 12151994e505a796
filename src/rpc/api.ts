import { KiteError } from "../protocol/errors.ts";
import type { Api, Contract, ContractMethod, MethodSchemas } from "./contract_types.ts";
import type { ApiOptions, RemoteKite, TellOptions } from "./remote.ts";
import { validateValue } from "./validate.ts";

/** The part of a remote that typed functions use. */
export type Teller = Pick<RemoteKite, "tellWith">;

type Check = (value: unknown) => unknown;

/**
 * Makes the typed functions of a contract for one remote.
 *
 * @param options options of every call; those given with a call override them
 */
export function createApi<C extends Contract>(
  remote: Teller,
  contract: C,
  options: ApiOptions = {},
): Api<C> {
  const functions: Record<string, unknown> = {};
  for (const [name, declared] of Object.entries<ContractMethod>(contract)) {
    functions[name] = createFunction(remote, name, declared.schemas, options);
  }
  return Object.freeze(functions) as Api<C>;
}

function createFunction(
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
    const last = callOptions(name, arity, args);
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
    return (...args: unknown[]) => new RemoteItems(name, () => call(args), checkItem);
  }
  const checkResult = check(result, "result");
  if (checkResult === undefined) return (...args: unknown[]) => call(args);
  return async (...args: unknown[]) => await checkResult(await call(args));
}

function callOptions(name: string, arity: number, args: readonly unknown[]): TellOptions {
  const options = args[arity];
  if (args.length === arity + 1) {
    if (options === undefined) return {};
    if (typeof options === "object" && options !== null && !Array.isArray(options)) return options;
  }
  throw new KiteError(
    "argumentError",
    `Cannot call "${name}": it takes ${arity} argument${arity === 1 ? "" : "s"}, ` +
      "and then an object of options",
  );
}

/** The items that a typed method streams; the call is made when the first item is asked for. */
class RemoteItems implements AsyncIterableIterator<unknown> {
  readonly #name: string;
  readonly #call: () => Promise<unknown>;
  readonly #check: Check | undefined;
  #source: AsyncIterator<unknown> | undefined;
  #opening: Promise<AsyncIterator<unknown>> | undefined;
  #isDone = false;

  constructor(name: string, call: () => Promise<unknown>, check: Check | undefined) {
    this.#name = name;
    this.#call = call;
    this.#check = check;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.#isDone) return Promise.resolve({ done: true, value: undefined });
    const source = this.#source;
    if (source !== undefined && this.#check === undefined) return source.next();
    return this.#next();
  }

  async return(): Promise<IteratorResult<unknown>> {
    this.#isDone = true;
    // A loop that is left while the call is under way leaves the stream as soon as it is there.
    const source = this.#source ?? await this.#opening?.catch(() => undefined);
    await source?.return?.();
    return { done: true, value: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #next(): Promise<IteratorResult<unknown>> {
    this.#source ??= await (this.#opening ??= this.#open());
    const item = await this.#source.next();
    if (item.done === true || this.#check === undefined) return item;
    return { done: false, value: await this.#check(item.value) };
  }

  async #open(): Promise<AsyncIterator<unknown>> {
    const result = await this.#call();
    const iterate = (result as Partial<AsyncIterable<unknown>> | null)?.[Symbol.asyncIterator];
    if (typeof iterate === "function") return iterate.call(result);
    throw new KiteError("invalidResponse", `Cannot stream from "${this.#name}": no stream came`);
  }
}
