import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { KiteError } from "../../src/protocol/errors.ts";
import {
  checkIdentity,
  formatIdentity,
  IDENTITY_FIELDS,
  type KiteIdentity,
  parseIdentity,
  readIdentity,
  validateField,
} from "../../src/protocol/identity.ts";

const identity: KiteIdentity = {
  username: "devrim",
  environment: "production",
  name: "math",
  version: "1.0.0",
  region: "europe",
  hostname: "host-4",
  id: "6a1c7a6e-3b5f-4d1c-9c2e-0d1f6b7a8c9d",
};
const path = "/devrim/production/math/1.0.0/europe/host-4/6a1c7a6e-3b5f-4d1c-9c2e-0d1f6b7a8c9d";

Deno.test("formatIdentity: writes a path that parseIdentity reads", () => {
  assertEquals(formatIdentity(identity), path);
  assertEquals(parseIdentity(path), identity);
});

Deno.test("parseIdentity: reads every path that formatIdentity writes", () => {
  const text = fc.string({ minLength: 1, maxLength: 40 }).filter((each) => !each.includes("/"));
  const identities = fc.record({
    username: text,
    environment: text,
    name: text,
    version: fc.tuple(fc.nat(), fc.nat(), fc.nat()).map((parts) => parts.join(".")),
    region: text,
    hostname: text,
    id: fc.uuid(),
  });
  fc.assert(fc.property(identities, (each) => {
    assertEquals(parseIdentity(formatIdentity(each)), { ...each });
  }));
});

Deno.test("parseIdentity: refuses an invalid path and shows it truncated", () => {
  for (
    const wrong of [
      "",
      "/",
      "devrim",
      path.slice(1),
      `${path}/`,
      `${path}/more`,
      `/more${path}`,
      "/devrim/production/math",
      "/".repeat(100_000),
    ]
  ) {
    const error = assertThrows(() => parseIdentity(wrong), KiteError, "must be /username/");
    assertEquals(error.type, "argumentError");
    assert(error.message.length < 200);
  }
});

Deno.test("checkIdentity: names the invalid field", () => {
  assertEquals(checkIdentity(identity), identity);
  for (const field of IDENTITY_FIELDS) {
    const refuse = (value: string, message: string) =>
      assertThrows(() => checkIdentity({ ...identity, [field]: value }), KiteError, message);
    const rule = 'must be text of 1 to 256 characters without "/"';
    refuse("", `Cannot use ${field} "": ${rule}`);
    refuse("a/b", `Cannot use ${field} "a/b": ${rule}`);
    const long = refuse("x".repeat(257), `Cannot use ${field} "xxxx`);
    assert(long.message.includes("(257 characters)"));
    assert(long.message.endsWith(rule));
  }
  const missing = { ...identity, region: undefined } as unknown as KiteIdentity;
  assertThrows(
    () => checkIdentity(missing),
    KiteError,
    "Cannot use region of type undefined: must be text",
  );
  for (const version of ["1.0", "v1.0.0", "1.0.0.0", "one.two.three"]) {
    assertThrows(() => checkIdentity({ ...identity, version }), KiteError, "of three parts");
  }
  for (const id of ["1", `${identity.id}0`, identity.id.replaceAll("-", ""), "g".repeat(36)]) {
    assertThrows(() => checkIdentity({ ...identity, id }), KiteError, "must be a UUID");
  }
});

Deno.test("checkIdentity: uses the given maximum length", () => {
  validateField("name", "12345678", 8);
  assertThrows(() => validateField("name", "123456789", 8), KiteError, "of 1 to 8 characters");
  assertThrows(() => checkIdentity(identity, 5), KiteError, "username");
});

Deno.test("readIdentity: keeps the valid parts of a claimed identity", () => {
  assertEquals(readIdentity({ ...identity, password: "x" }), identity);
  const nothing = Object.fromEntries(IDENTITY_FIELDS.map((field) => [field, ""]));
  for (const value of [undefined, null, 5, "devrim", true, [], {}, { username: 5, id: {} }]) {
    assertEquals({ ...readIdentity(value) }, nothing);
  }
  assertEquals(readIdentity({ username: "devrim", name: null }).username, "devrim");
  assertEquals(readIdentity({ name: "x".repeat(1_000_000) }).name, "x".repeat(257));
  assertEquals(readIdentity({ name: "abcdef" }, 3).name, "abcd");
});
