import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Callback, findFunctions, stringify } from "../../src/dnode/scrub.ts";
import { isCalledImplicitly } from "../../src/dnode/path.ts";
import { placeCallbacks, readCallbacks } from "../../src/dnode/unscrub.ts";
import { withUntouchedPrototypes } from "../security/prototypes.ts";

const BOUNDS = { nesting: 64, values: 1_000_000 };

/** Stands for one function: what is compared afterwards. */
class Marked {
  constructor(readonly id: number) {}
}

/** The value with a mark for each function, in the order of a plain walk. */
function marked(value: unknown, mark: (callback: Callback) => Marked): unknown {
  if (typeof value === "function") return mark(value as Callback);
  if (Array.isArray(value)) return value.map((element) => marked(element, mark));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, marked(v, mark)]));
}

const key = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom("0", "1", "name", "length", "responseCallback", '"', "\n", "\u2028"),
).filter((name) =>
  // JSON.parse of V8 15.0 takes an escaped name for a backslash, once it has seen that as a name.
  !["__proto__", "constructor", "prototype"].includes(name) && !isCalledImplicitly(name) &&
  !name.includes("\\")
);
const leaf = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.integer(),
  // JSON has no -0.
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
  fc.boolean(),
  fc.constantFrom(null, "[Function]", "[Circular]"),
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "medium", maxDepth: 10 },
    leaf,
    fc.integer().map((id) => () => id),
    fc.array(tie("tree"), { maxLength: 5 }),
    fc.dictionary(key, tie("tree"), { maxKeys: 5 }),
  ),
}));

for (const steps of ["numbers", "strings"] as const) {
  Deno.test(`scrub and unscrub: values survive the round trip, steps as ${steps}`, () => {
    withUntouchedPrototypes(() =>
      fc.assert(
        fc.property(fc.array(tree, { maxLength: 4 }), (args) => {
          const found = findFunctions(args, BOUNDS);
          const callbacks = Object.fromEntries(
            found.map(({ path }, id) => [id, steps === "numbers" ? path : path.map(String)]),
          );
          const text = `[${stringify(args, found)},${JSON.stringify(callbacks)}]`;
          const [received, places] = JSON.parse(text) as [unknown[], unknown];
          placeCallbacks(received, readCallbacks(places, 1e6, 64)!, {
            callback: (id) => () => id,
            stream: () => ({}),
          });
          const sent = marked(args, (callback) =>
            new Marked(found.findIndex((one) => one.callback === callback)));
          assertEquals(
            marked(received, (callback) =>
              new Marked(callback() as number)),
            sent,
          );
          assert(found.every(({ callback }) => typeof callback === "function"));
        }),
        { numRuns: 400 },
      )
    );
  });
}
