import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { formField } from "../../../../src/transport/sockjs/server/form.ts";

Deno.test("formField: agrees with URLSearchParams on any form", () => {
  const text = fc.string({ unit: "grapheme" });
  const name = fc.oneof(fc.constantFrom("d", "dd", "e"), text.filter((each) => each !== ""));
  fc.assert(fc.property(fc.array(fc.tuple(name, text)), (pairs) => {
    const form = new URLSearchParams(pairs).toString();
    assertEquals(formField(form, "d"), new URLSearchParams(form).get("d") ?? undefined);
  }));
  for (const form of ["", "&", "d", "a=d=1", "ad=1", "&&d=", "d=%zz", "d=a+b%20c&d=2", "x&d=1&"]) {
    const expected = form === "d" ? undefined : new URLSearchParams(form).get("d") ?? undefined;
    assertEquals(formField(form, "d"), expected, form);
  }
});
