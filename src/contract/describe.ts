import type { StandardJSONSchemaV1 } from "@standard-schema/spec";
import type { MethodSchemas, Schema } from "../rpc/contract_types.ts";
import type { Methods } from "../rpc/methods.ts";
import type { IncomingCall } from "../rpc/request.ts";

/** A JSON Schema, version 2020-12; `{}` if the schema is not known. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One method in the answer of `kite.describe`. */
export interface MethodDescription {
  /** The name to call it by. */
  readonly name: string;
  /** True if callers must authenticate. */
  readonly authentication: boolean;
  /** The arguments, in order; undefined for a method without a contract. */
  readonly args?: readonly JsonSchema[];
  /** The result; undefined for a stream, and for a method without a contract. */
  readonly result?: JsonSchema;
  /** The items of the stream that it returns. */
  readonly items?: JsonSchema;
  /** True if calling it twice has the effect of calling it once. */
  readonly idempotent?: boolean;
}

/** The answer of `kite.describe`. */
export interface Description {
  /** The methods that the caller may see, by name. */
  readonly methods: readonly MethodDescription[];
}

/**
 * Describes the methods that a caller may call: all methods if it is authenticated, otherwise those
 * without authentication.
 *
 * @throws {KiteError} `authenticationError` if the caller's authentication is refused
 */
export function describeMethods(
  methods: Methods,
  request: IncomingCall,
): Description | Promise<Description> {
  const seesAll = !methods.authenticates || !request.authenticates;
  if (seesAll || request.authentication === undefined) return describeAll(methods, seesAll);
  const authenticated = methods.authenticators!.authenticate(request);
  return authenticated === undefined
    ? describeAll(methods, true)
    : authenticated.then(() => describeAll(methods, true));
}

function describeAll(methods: Methods, seesAll: boolean): Description {
  const described: MethodDescription[] = [];
  for (const method of methods.all) {
    const authentication = methods.authenticates && method.authenticates;
    if (!seesAll && authentication) continue;
    described.push(describeMethod(method.name, authentication, method.schemas));
  }
  described.sort((a, b) => a.name < b.name ? -1 : 1);
  return { methods: described };
}

/** Describes one method. */
export function describeMethod(
  name: string,
  authentication: boolean,
  schemas: MethodSchemas | undefined,
): MethodDescription {
  if (schemas === undefined) return { name, authentication };
  const { args = [], result, items, idempotent } = schemas;
  return {
    name,
    authentication,
    args: args.map((schema) => jsonSchema(schema, "input")),
    ...(items === undefined
      ? { result: result === undefined ? {} : jsonSchema(result, "output") }
      : { items: jsonSchema(items, "output") }),
    ...(idempotent === true ? { idempotent } : {}),
  };
}

/** Returns the JSON Schema of a schema, or `{}` if its library cannot create one. */
function jsonSchema(schema: Schema, direction: "input" | "output"): JsonSchema {
  const { jsonSchema } = schema["~standard"] as Partial<StandardJSONSchemaV1.Props>;
  if (typeof jsonSchema?.[direction] !== "function") return {};
  try {
    const { $schema: _dialect, ...rest } = jsonSchema[direction]({ target: "draft-2020-12" });
    return rest;
  } catch {
    return {}; // The library cannot express this schema: nothing is known of it.
  }
}
