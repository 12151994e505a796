import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Contract, Kite, KiteError } from "../../client.ts";

/** Options that only kites outside of pages have, or that no kite has. */
const REFUSED: readonly (readonly [Record<string, unknown>, string])[] = [
  [{ compact: true }, "Cannot use compact true: must be an object"],
  [{ port: 3636 }, 'Cannot use option "port": must be one of username'],
  [{ logLevels: "INFO" }, 'Cannot use option "logLevels": did you mean logLevel?'],
];

Deno.test("page: refuses options that a page does not have", () => {
  for (const [options, message] of REFUSED) {
    const error = assertThrows(() => new Kite("page", "1.0.0", options), KiteError, message);
    assertEquals((error as KiteError).type, "configError");
  }
  for (const name of ["ca", "authenticateRemote"]) {
    assertThrows(
      () => new Kite("page", "1.0.0").newClient("http://a/kite", { [name]: true }),
      KiteError,
      `Cannot use option "${name}"`,
    );
  }
});

Deno.test("page: without a Kontrol, the error names the option of a page", async () => {
  await using page = new Kite("page", "1.0.0");
  await assertRejects(
    () => page.getKites({ name: "math" }),
    KiteError,
    "Cannot reach Kontrol: no URL is known; set kontrolUrl",
  );
});

Deno.test("page: refuses a contract whose members were not made by method", () => {
  const page = new Kite("page", "1.0.0");
  const made: Contract = { square: { schemas: undefined } };
  const message = 'Cannot use "square" in a contract: must be a method(…)';
  assertThrows(() => page.newClient("http://a/kite").as(made), KiteError, message);
  assertThrows(
    () => page.implement(made, { square: () => 16 } as never),
    KiteError,
    message,
  );
});

Deno.test("page: each kite has a UUID of its own", () => {
  const ids = Array.from({ length: 100 }, () => new Kite("page", "1.0.0").id);
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/;
  assertEquals(ids.filter((id) => !uuid.test(id)), []);
  assertEquals(new Set(ids).size, 100);
});
