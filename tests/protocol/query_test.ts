import { assert, assertEquals, assertThrows } from "@std/assert";
import { KiteError } from "../../src/protocol/errors.ts";
import { IDENTITY_FIELDS, type KiteIdentity } from "../../src/protocol/identity.ts";
import {
  isEmptyQuery,
  type KontrolQuery,
  queryMatcher,
  readQuery,
  readQueryFields,
  rememberVersions,
} from "../../src/protocol/query.ts";

const identity: KiteIdentity = {
  username: "devrim",
  environment: "production",
  name: "math",
  version: "1.2.3",
  region: "europe",
  hostname: "local",
  id: "6a1c7a6e-3b5f-4d1c-9c2e-0d1f6b7a8c9d",
};

Deno.test("queryMatcher: matches kites with the same values in all given fields", () => {
  assert(queryMatcher(identity)(identity));
  for (const field of IDENTITY_FIELDS) {
    const matches = queryMatcher({ [field]: identity[field] });
    assert(matches(identity));
    assert(!matches({ ...identity, [field]: "9.9.9" }), field);
    assert(!matches({ ...identity, [field]: `${identity[field]}2` }), field);
  }
});

Deno.test("queryMatcher: missing and empty fields match any value", () => {
  const matches = queryMatcher({ username: "", name: "math", region: "" });
  assert(matches(identity));
  assert(matches({ ...identity, username: "fatih", region: "asia" }));
  assert(!matches({ ...identity, name: "fs" }));
});

Deno.test("queryMatcher: combines a version constraint with other fields", () => {
  const matches = queryMatcher({ name: "math", version: ">= 1.2, < 2.0", hostname: "local" });
  assert(matches(identity));
  assert(!matches({ ...identity, version: "2.0.0" }));
  assert(!matches({ ...identity, version: "1.3.0-beta" }));
  assert(!matches({ ...identity, hostname: "local2" }));
  assert(!queryMatcher({ version: "1.2" })(identity));
  assertThrows(() => queryMatcher({ version: "abc" }), KiteError, 'Malformed constraint: "abc"');
});

Deno.test("queryMatcher: an id that is not a UUID matches nothing", () => {
  assertEquals(readQuery({ id: "5" }), { id: "5" });
  assert(!queryMatcher({ id: "5" })(identity));
});

Deno.test("readQuery: keeps the fields that are set", () => {
  const sent = {
    username: "devrim",
    environment: "",
    name: "math",
    version: "~> 1.2",
    region: null,
    hostname: undefined,
    force: true,
    toString: 5,
  };
  assertEquals(readQuery(sent), { username: "devrim", name: "math", version: "~> 1.2" });
  assertEquals(readQuery(JSON.parse('{"__proto__":{"username":"devrim"},"name":"math"}')), {
    name: "math",
  });
});

Deno.test("readQuery: refuses an empty or invalid query", () => {
  const refused: [unknown, string][] = [
    [{}, "all query fields are empty"],
    [{ username: "", id: null, other: "x" }, "all query fields are empty"],
    [null, "Cannot use query of type null: must be an object"],
    [undefined, "Cannot use query of type undefined"],
    [["math"], "Cannot use query of type array"],
    ["math", 'Cannot use query "math"'],
    [{ name: 5 }, "Cannot use query field name 5: must be text of 1 to 256"],
    [{ name: "a/b" }, `Cannot use query field name "a/b": must be text of 1 to 256`],
    [{ name: "x".repeat(257) }, "(257 characters)"],
    [{ name: "math", version: "abc" }, 'Malformed constraint: "abc"'],
  ];
  for (const [value, message] of refused) {
    const error = assertThrows(() => readQuery(value), KiteError, message);
    assertEquals(error.type, "argumentError");
  }
});

Deno.test("isEmptyQuery: true if no field is set", () => {
  const empty: KontrolQuery[] = [{}, { username: "" }];
  for (const query of empty) assert(isEmptyQuery(query));
  assert(!isEmptyQuery({ id: "x" }));
});

Deno.test("rememberVersions: checks each version once, and is correct beyond the size of its cache", () => {
  let asked = 0;
  const fits = rememberVersions((version) => {
    asked++;
    return version.startsWith("1.");
  });
  for (let i = 0; i < 3; i++) assertEquals([fits("1.0.0"), fits("2.0.0")], [true, false]);
  assertEquals(asked, 2);
  for (let i = 0; i < 5_000; i++) assertEquals(fits(`${1 + i % 2}.${i}.0`), i % 2 === 0);
});

Deno.test("readQueryFields: refuses a misspelt field, which readQuery drops for other peers", () => {
  const query = { name: "math", verson: "1.0.0" }; // cspell:disable-line
  assertThrows(
    () => readQueryFields(query),
    KiteError,
    'Cannot use query field "verson": did you mean version?', // cspell:disable-line
  );
  assertEquals(readQuery(query), { name: "math" });
});
