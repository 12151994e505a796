import type { StandardSchemaV1 } from "@standard-schema/spec";

/**
 * A validator of any library that follows Standard Schema: zod, valibot, arktype and others.
 *
 * @internal because `deno doc --lint` does not find the interface in the npm package
 */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>;

/** The schemas of a method's arguments and of its result. */
export interface MethodSchemas {
  /** One schema for each argument, in order. */
  readonly args?: readonly Schema[];
  /** What the method returns. Not allowed together with `items`. */
  readonly result?: Schema;
  /** The items of the stream that the method returns. */
  readonly items?: Schema;
  /**
   * True if calling the method twice has the effect of calling it once. Such a call is repeated if
   * the connection is lost before the answer arrives.
   *
   * @default false
   */
  readonly idempotent?: boolean;
}

/** The keyword that marks a function in a description: JSON Schema has no type for one. */
export const FUNCTION_KEYWORD = "x-kite-function";

/**
 * One method of a contract. `call` and `implement` carry types only; they are never set.
 *
 * @typeParam Call the function that a caller gets
 * @typeParam Implement the function that a kite must provide
 */
export interface ContractMethod<Call = unknown, Implement = unknown> {
  /** The schemas, or undefined for a method with types only. */
  readonly schemas: MethodSchemas | undefined;
  /** The type of the function that a caller gets. */
  readonly call?: Call;
  /** The type of the function that a kite must provide. */
  readonly implement?: Implement;
}

/** Methods by name. */
export type Contract = Readonly<Record<string, ContractMethod>>;

/** The typed functions that a contract gives to a caller. */
export type Api<C extends Contract> = {
  readonly [Name in keyof C]: NonNullable<C[Name]["call"]>;
};
