import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type as ark } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { callback, type } from "../../src/contract/contract.ts";
import { validateArguments } from "../../src/rpc/validate.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import type { Schema } from "../../src/rpc/contract_types.ts";

const USERS: Readonly<Record<string, Schema>> = {
  zod: z.object({ user: z.object({ name: z.string() }) }),
  valibot: v.object({ user: v.object({ name: v.string() }) }),
  arktype: ark({ user: { name: "string" } }),
};

for (const [library, schema] of Object.entries(USERS)) {
  Deno.test(`validateArguments() accepts what a ${library} schema accepts, synchronously`, () => {
    const value = { user: { name: "ada" } };
    assertEquals(validateArguments("greet", [schema], [value]), [value]);
  });

  Deno.test(`validateArguments() names the path that a ${library} schema refuses`, () => {
    const error = assertThrows(
      () => validateArguments("greet", [type(), schema], [1, { user: { name: 7 } }]),
      KiteError,
      'Cannot call "greet": argument 2.user.name: ',
    );
    assertEquals(error.type, "argumentError");
  });
}

Deno.test("validateArguments() drops arguments beyond the schemas", () => {
  assertEquals(validateArguments("f", [z.number()], [1, 2, 3]), [1]);
});

Deno.test("validateArguments() lets an optional argument be missing, or null before another", () => {
  const schemas = [z.number().optional(), z.number()];
  assertEquals(validateArguments("f", [z.number().optional()], []), [undefined]);
  assertEquals(validateArguments("f", schemas, [null, 2]), [undefined, 2]);
});

Deno.test("validateArguments() keeps a null that the schema accepts", () => {
  assertEquals(validateArguments("f", [z.number().nullish()], [null]), [null]);
});

Deno.test("validateArguments() returns the output of the schema", () => {
  assertEquals(validateArguments("f", [z.string().trim(), z.string().default("x")], [" a "]), [
    "a",
    "x",
  ]);
});

Deno.test("validateArguments() waits for an asynchronous schema, and checks those after it", async () => {
  const slow = z.string().refine((text) => Promise.resolve(text !== "taken"));
  assertEquals(await validateArguments("f", [slow, z.number()], ["free", 1]), ["free", 1]);
  await assertRejects(
    async () => await validateArguments("f", [slow, z.number()], ["taken", 1]),
    KiteError,
    'Cannot call "f": argument 1: ',
  );
  await assertRejects(
    async () => await validateArguments("f", [slow, z.number()], ["free", "1"]),
    KiteError,
    'Cannot call "f": argument 2: ',
  );
});

Deno.test("validateArguments() refuses anything but a function for callback()", () => {
  const run = (): void => {};
  assertEquals(validateArguments("f", [callback()], [run]), [run]);
  assertThrows(
    () => validateArguments("f", [callback()], ["[Function]"]),
    KiteError,
    'Cannot call "f": argument 1: must be a function',
  );
});

Deno.test("validateArguments() keeps the message short for any number of issues", () => {
  const many = z.array(z.number());
  const error = assertThrows(
    () => validateArguments("f", [many], [new Array(10_000).fill("x".repeat(1_000))]),
    KiteError,
    "; 9995 more",
  );
  assertEquals(error.message.length < 2_000, true);
});
