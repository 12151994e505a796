/** Plain and compact messages give a handler the same request, and a caller the same answer. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { KiteError } from "../../src/protocol/errors.ts";
import type { KiteRequest } from "../../src/rpc/request.ts";
import { converse, type Side } from "./support.ts";

/** What a function of the generated values becomes: calls of it are counted by its name. */
type Call = (...args: unknown[]) => void;

const leaf = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(undefined, -0, "[Function]", "\u2028\ud800", new Date(0)),
  fc.constant("FUNCTION"),
);
const name = fc.oneof(
  fc.string({ maxLength: 4 }),
  fc.constantFrom("then", "toJSON", "__proto__x", "pull", "cancel", "result", "error", "0"),
);
const value = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, leaf, tie("list"), tie("record")),
  list: fc.array(tie("value"), { maxLength: 4 }),
  record: fc.dictionary(name, tie("value"), { maxKeys: 4 }),
})).value;

/** The value with a function wherever it says so. */
function withFunctions(template: unknown, make: () => Call): unknown {
  if (template === "FUNCTION") return make();
  if (Array.isArray(template)) return template.map((each) => withFunctions(each, make));
  if (typeof template !== "object" || template === null || template instanceof Date) {
    return template;
  }
  return Object.fromEntries(
    Object.entries(template).map(([key, each]) => [key, withFunctions(each, make)]),
  );
}

/** The value as a remote sees it, after calling each function with the path to it. */
function seen(received: unknown, path = "$"): unknown {
  if (typeof received === "function") {
    received(path, { back: [path] });
    return "a function";
  }
  if (Array.isArray(received)) return received.map((each, i) => seen(each, `${path}.${i}`));
  if (typeof received !== "object" || received === null) return received;
  return Object.entries(received).map(([key, each]) => [key, seen(each, `${path}.${key}`)]);
}

interface Exchange {
  readonly method: string;
  readonly args: unknown[];
  readonly meta: Record<string, string>;
  readonly timeout: number;
  readonly result: unknown;
  readonly error: Record<string, string> | undefined;
}

/** Makes one call, and gives everything that either side saw of it. */
async function observe(
  [caller, served]: [Side, Side],
  exchange: Exchange,
  current: { serve: (request: KiteRequest) => unknown },
): Promise<unknown> {
  const calls: unknown[] = [];
  const make = (): Call => {
    const index = calls.length;
    const own: unknown[] = [];
    calls.push([index, own]);
    return (...args) => void own.push(args);
  };
  let request: unknown;
  current.serve = ({ method, args, meta, deadline, kite, authentication }) => {
    const left = deadline === undefined ? undefined : Math.ceil((deadline - Date.now()) / 60_000);
    request = [method, seen(args.values), { ...meta }, left, kite, authentication];
    if (exchange.error !== undefined) throw Object.assign(new Error("no"), exchange.error);
    return withFunctions(exchange.result, make);
  };
  const { method, meta, timeout } = exchange;
  const args = exchange.args.map((each) => withFunctions(each, make));
  const answer = await caller.tellWith({ timeout, meta }, method, ...args).then(
    (result) => seen(result),
    (error: KiteError) => [error.type, error.message, error.code, error.id.length],
  );
  // Messages keep their order: after this answer, both sides have seen the invocations.
  current.serve = () => null;
  await caller.tell("sync");
  assertEquals([caller.reports, served.reports], [[], []]);
  return { request, answer, calls };
}

/** Two sides after their first call. */
async function connect(compact: boolean, current: {
  serve: (request: KiteRequest) => unknown;
}): Promise<[Side, Side]> {
  const sides = converse({ compact }, { compact, serve: (request) => current.serve(request) });
  await sides[0].tell("hello");
  return sides;
}

Deno.test("plain and compact messages carry the same requests, answers and invocations", async () => {
  const current = { serve: (_: KiteRequest): unknown => null };
  const [plain, compact] = [await connect(false, current), await connect(true, current)];
  const kinds = new Set<string>();
  for (const [sides, kind] of [[plain, "{"], [compact, "["]] as const) {
    const { session } = sides[0];
    const { send } = session;
    session.send = (text) => {
      kinds.add(text[0]!);
      assertEquals(text[0], kind);
      send.call(session, text);
    };
  }
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        method: fc.string({ minLength: 1 }),
        args: fc.array(value, { maxLength: 3 }),
        meta: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
        timeout: fc.constantFrom(0, 5_000, 100_000, Infinity),
        result: value,
        error: fc.option(
          fc.record({ message: fc.string(), type: fc.string(), code: fc.string() }),
          { nil: undefined },
        ),
      }),
      async (exchange) => {
        assertEquals(
          await observe(compact, exchange, current),
          await observe(plain, exchange, current),
        );
      },
    ),
    { numRuns: 1_000 },
  );
  assertEquals(kinds.size, 2);
  for (const [caller] of [plain, compact]) caller.close();
});
