import fc from "fast-check";
import { FUNCTION_PLACEHOLDER } from "../../src/dnode/scrub.ts";

/** Stands in a value where the hostile peer puts a function. */
const FUNCTION = Symbol("function");

/** Members that JavaScript calls by itself when they are functions. */
export const IMPLICIT = ["then", "toJSON", "toString", "toLocaleString", "valueOf"] as const;

const key = fc.constantFrom(
  ...IMPLICIT,
  "catch",
  "finally",
  "constructor",
  "Symbol.toPrimitive",
  "Symbol.iterator",
  "message",
  "type",
  "code",
  "id",
  "length",
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    { weight: 3, arbitrary: fc.constant(FUNCTION) },
    fc.constantFrom(1, "x", null, true, FUNCTION_PLACEHOLDER),
    fc.dictionary(key, tie("tree"), { minKeys: 1, maxKeys: 4 }),
    fc.array(tie("tree"), { maxLength: 3 }),
  ),
}));

/** A value as it stands in a message, and the paths of the functions in it. */
export interface HostileValue {
  readonly json: unknown;
  readonly paths: readonly (readonly (string | number)[])[];
}

/** Values with functions, numbers, texts and objects wherever JavaScript calls members by itself. */
export const hostileValue: fc.Arbitrary<HostileValue> = tree.map(toHostile);

/** The values that ended or stalled a kite once, always tried. */
export const KNOWN: readonly HostileValue[] = [
  ...IMPLICIT.map((name) => ({ [name]: FUNCTION })),
  { toString: 1, valueOf: 1 },
  { then: 1 },
  { type: { toString: 1 }, message: { toString: FUNCTION, valueOf: 1 }, code: { then: FUNCTION } },
  { message: "x", type: { toJSON: FUNCTION } },
  [{ then: FUNCTION }, { deep: [{ then: FUNCTION, valueOf: FUNCTION }] }],
  Object.fromEntries(IMPLICIT.map((name) => [name, FUNCTION])),
  FUNCTION,
].map(toHostile);

function toHostile(value: unknown): HostileValue {
  const paths: (string | number)[][] = [];
  return { json: walk(value, [], paths), paths };
}

function walk(value: unknown, path: (string | number)[], paths: (string | number)[][]): unknown {
  if (value === FUNCTION) {
    paths.push(path);
    return FUNCTION_PLACEHOLDER;
  }
  if (Array.isArray(value)) return value.map((each, i) => walk(each, [...path, i], paths));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, walk(each, [...path, name], paths)]),
  );
}

/** The functions of a hostile value as `callbacks` of a message, under ids that are noticed. */
export function hostileCallbacks(
  { paths }: HostileValue,
  ...prefix: (string | number)[]
): Record<string, unknown> {
  return Object.fromEntries(paths.map((path, i) => [HOSTILE_ID + i, [...prefix, ...path]]));
}

/** The first id of the functions of hostile values. */
export const HOSTILE_ID = 700_000;

/** What the peer says to any function that it is given: it can be shown and compared by no one. */
const POISON = [{ toString: 1, valueOf: 1, toJSON: 1, then: 1 }];

/**
 * How a hostile peer answers whatever it hears: functions that it is handed are called with a value
 * that cannot be printed.
 *
 * @returns the messages to send, and the id of the peer's own function that was called
 */
export function reactTo(text: string): { replies: string[]; called?: number } {
  const { method, callbacks } = JSON.parse(text) as {
    method: unknown;
    callbacks?: Record<string, unknown>;
  };
  if (typeof method !== "number" || method < HOSTILE_ID) return { replies: [] };
  const replies = Object.keys(callbacks ?? {}).map((id) =>
    JSON.stringify({ method: Number(id), arguments: POISON, callbacks: {} })
  );
  return { replies, called: method };
}
