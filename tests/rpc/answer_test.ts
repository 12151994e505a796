import { assertEquals } from "@std/assert";
import { KiteError } from "../../src/protocol/errors.ts";
import { errorObject, readAnswer, readError } from "../../src/rpc/answer.ts";

const BOOM = { type: "genericError", message: "boom", code: "", id: "0123456789abcdef" };

/** An answer as one line: what a caller sees of it. */
function read(...args: unknown[]): string {
  const { error, result } = readAnswer(args);
  if (error === undefined) return result === undefined ? "nothing" : JSON.stringify(result);
  return `${error.type}|${error.message}|${error.code}|${error.id}`;
}

const ANSWERS: [string, unknown[], string][] = [
  ["Kite style", [{ error: null, result: 16 }], "16"],
  ["a result alone", [{ result: 25 }], "25"],
  ["a result of null", [{ error: null, result: null }], "null"],
  ["error null alone", [{ error: null }], "nothing"],
  ["an error object", [{ error: BOOM, result: null }], "genericError|boom||0123456789abcdef"],
  ["an error beside a result", [{ error: BOOM, result: 5 }], "genericError|boom||0123456789abcdef"],
  ["an error text", [{ error: "boom" }], "genericError|boom||"],
  ["an error with a message alone", [{ error: { message: "x" } }], "genericError|x||"],
  ["an error with a type alone", [{ error: { type: "odd" } }], "odd|odd||"],
  ["an error of false", [{ error: false, result: 3 }], "genericError|false||"],
  ["an error of 0", [{ error: 0, result: 3 }], "genericError|0||"],
  ["an empty error", [{ error: "" }], "genericError|unknown error||"],
  ["an empty error object", [{ error: {} }], "genericError|genericError||"],
  ["an error that is an array", [{ error: [1] }], "genericError|unknown error||"],
  ["fields of other types", [{ error: { type: 5, message: {}, code: 7, id: null } }], "5|5|7|"],
  ["no arguments", [], "nothing"],
  ["null", [null], "nothing"],
  ["an empty object", [{}], "nothing"],
  ["null and an error", [null, { error: { message: "x" } }], "genericError|x||"],
  ["null and an error text", [null, { error: "x" }], "genericError|x||"],
  ["null and a result with a null error", [null, { error: null }], '{"error":null}'],
  ["null and an error among more", [null, { error: "x", a: 1 }], '{"error":"x","a":1}'],
  ["error and result", [null, 25], "25"],
  ["no error and no result", [null, null], "null"],
  ["undefined, as a missing error", [undefined, [1]], "[1]"],
  ["an error and a result", [{ type: "t", message: "m", code: "c" }, 25], "t|m|c|"],
  ["an error text and null", ["boom", null], "genericError|boom||"],
  ["more than two", [null, 25, 26], "25"],
  ["an error alone", [{ type: "t", message: "m" }], "t|m||"],
  ["any other object alone", [{ a: 1 }], "genericError|genericError||"],
  ["a text alone", ["boom"], "genericError|boom||"],
  [
    "a number alone",
    [5],
    "invalidResponse|Cannot read the answer: must be an object, got a number||",
  ],
  [
    "true alone",
    [true],
    "invalidResponse|Cannot read the answer: must be an object, got a boolean||",
  ],
  [
    "an array alone",
    [[1]],
    "invalidResponse|Cannot read the answer: must be an object, got an array||",
  ],
];
for (const [what, args, expected] of ANSWERS) {
  Deno.test(`reads ${what}`, () => assertEquals(read(...args), expected));
}

Deno.test("readAnswer: reads own properties only", () => {
  const odd = JSON.parse('[{"__proto__":{"error":"x"}}]');
  assertEquals(read(...odd), "genericError|genericError||");
});

const THROWN: [string, unknown, string][] = [
  ["a KiteError", new KiteError("own", "m", { code: "E1" }), "own|m|E1|rid"],
  ["an Error", new Error("boom"), "genericError|boom||rid"],
  ["an Error without a message", new TypeError(), "genericError|TypeError||rid"],
  [
    "an Error with a type and a code",
    Object.assign(new Error("m"), { type: "t", code: 5 }),
    "t|m|5|rid",
  ],
  [
    "an error of the system",
    Object.assign(new Error("m"), { code: "ENOENT" }),
    "genericError|m|ENOENT|rid",
  ],
  ["an object", { type: "t", message: "m", code: "c", id: "theirs" }, "t|m|c|rid"],
  ["a text", "boom", "genericError|boom||rid"],
  ["nothing", undefined, "genericError|undefined||rid"],
  ["null", null, "genericError|null||rid"],
  ["a symbol", Symbol("s"), "genericError|Symbol(s)||rid"],
  [
    "what cannot be shown",
    Object.create(null),
    "genericError|a value that cannot be printed was thrown||rid",
  ],
];
for (const [what, thrown, expected] of THROWN) {
  Deno.test(`answers for a thrown ${what}`, () => {
    const { type, message, code, id } = errorObject(thrown, "rid");
    assertEquals([type, message, code, id].join("|"), expected);
  });
}

Deno.test("errorObject: contains neither stack nor cause", () => {
  const error = new KiteError("t", "m", { cause: new Error("secret") });
  assertEquals(Object.keys(errorObject(error, "rid")).sort(), ["code", "id", "message", "type"]);
});

Deno.test("errorObject and readError: an error is the same after both", () => {
  const error = readError(
    JSON.parse(JSON.stringify(errorObject(new KiteError("t", "m", { code: "c" }), "9"))),
  );
  assertEquals([error.type, error.message, error.code, error.id], ["t", "m", "c", "9"]);
  assertEquals(String(error), "t: m (9)");
  assertEquals(String(readError({ message: "m" })), "m");
});
