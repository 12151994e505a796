import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { isConstraint, parseConstraint, parseVersionQuery } from "../../src/protocol/constraint.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import {
  compareVersions,
  isThreePartVersion,
  parseVersion,
  readVersion,
} from "../../src/protocol/version.ts";
// What github.com/hashicorp/go-version says (1.0.0 and 1.9.0 alike): `matches` has a digit for each
// of `versions`, 1 where the constraint takes it; `order` a row for each, against each.
import table from "./version_table.json" with { type: "json" };

const matches = Object.entries(table.matches);

/** Ours alone: a plain `!=` takes no prerelease either, as every other condition. */
function isPlainNotEqual(constraint: string, version: string): boolean {
  return hasPrerelease(version) && /!=[^,-]*(,|$)/.test(constraint);
}

/** A fourth number makes go-version forget the prerelease: to it 1.2.3-beta and 1.2.3.0 are one. */
function hasForgotten(a: string, b: string): boolean {
  return (hasFourNumbers(a) && hasPrerelease(b)) || (hasFourNumbers(b) && hasPrerelease(a));
}

function hasFourNumbers(text: string): boolean {
  return /\d+\.\d+\.\d+\.\d+/.test(text);
}

function hasPrerelease(text: string): boolean {
  return /\d-|\d[a-z]/.test(text);
}

Deno.test("parseConstraint: agrees with go-version", () => {
  const wrong: string[] = [];
  let pairs = 0;
  for (const [constraint, row] of matches) {
    const fits = parseConstraint(constraint);
    for (const [index, version] of table.versions.entries()) {
      if (hasForgotten(constraint, version)) continue;
      const expected = row[index] === "1" && !isPlainNotEqual(constraint, version);
      if (fits(version) !== expected) wrong.push(`${version} ${constraint}: ${expected}`);
      pairs++;
    }
  }
  assertEquals(wrong, []);
  assert(pairs > 2_000);
});

Deno.test("parseConstraint: a condition without a prerelease matches no prerelease", () => {
  for (const operator of ["=", "!=", ">", ">=", "<", "<=", "~>"]) {
    for (const wanted of ["1.2.3", "1.2", "2.0.0", "0.1.0"]) {
      assert(!parseConstraint(`${operator} ${wanted}`)("1.2.3-beta"), `${operator} ${wanted}`);
    }
  }
  assert(!parseConstraint(">= 1.2.3-alpha, < 2.0")("1.2.3-beta"));
});

Deno.test("versions are ordered as go-version orders them", () => {
  for (const [row, a] of table.versions.entries()) {
    for (const [column, b] of table.versions.entries()) {
      if (hasForgotten(a, b)) continue;
      const sign = "<=>"[Math.sign(compareVersions(parseVersion(a), parseVersion(b))) + 1];
      assertEquals(sign, table.order[row]?.[column], `${a} ${b}`);
    }
  }
});

Deno.test("what is malformed is refused", () => {
  for (const text of table.malformed) {
    const error = assertThrows(() => parseConstraint(text), KiteError, "Malformed constraint: ");
    assertEquals(error.type, "argumentError");
  }
  for (const text of table.notVersions) {
    assertEquals(readVersion(text), undefined, text);
    assert(isConstraint(text));
  }
  for (const text of table.versions) assert(!isConstraint(text));
  assertThrows(
    () => parseVersion("one"),
    KiteError,
    'Cannot use version "one": must be a version such as 1.2.3',
  );
  assertThrows(() => parseConstraint(`>= 1.0${" ".repeat(1000)}`), KiteError, "Malformed");
});

Deno.test("parseVersion: returns the parts of a version", () => {
  assertEquals(parseVersion("v1.2"), {
    numbers: [1, 2, 0],
    given: 2,
    prerelease: "",
    metadata: "",
  });
  assertEquals(parseVersion("1.2.3-rc.1+linux.5"), {
    numbers: [1, 2, 3],
    given: 3,
    prerelease: "rc.1",
    metadata: "linux.5",
  });
  assertEquals(parseVersion("1.2beta").prerelease, "beta");
});

Deno.test("isThreePartVersion: accepts exactly three numbers", () => {
  for (const text of ["0.0.1", "1.0.0", "10.20.30", "1.2.3-beta", "1.2.3-beta.1+linux"]) {
    assert(isThreePartVersion(text), text);
  }
  for (const text of ["", "1", "1.0", "1.0.0.0", "v1.0.0", "a.b.c", "1..0", ">= 1.0.0", "1.0.0 "]) {
    assert(!isThreePartVersion(text), text);
  }
});

Deno.test("parseVersionQuery: compares a version as text", () => {
  const exact = parseVersionQuery("1.0");
  assert(exact("1.0"));
  assert(!exact("1.0.0"));
  assert(!parseVersionQuery("v1.0.0")("1.0.0"));
  assert(parseVersionQuery("= 1.0")("1.0.0"));
  assert(parseVersionQuery("1.0, 1.0.0")("1.0.0"));
  assert(!parseVersionQuery(">= 0")("not a version"));
});

const version = fc.tuple(
  fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }),
  fc.option(fc.array(fc.constantFrom("alpha", "beta", "1", "2", "10", "x-y"), { minLength: 1 })),
).map(([numbers, words]) => numbers.join(".") + (words === null ? "" : `-${words.join(".")}`));

Deno.test("compareVersions: is antisymmetric and consistent with the operators", () => {
  fc.assert(fc.property(version, version, (a, b) => {
    const order = compareVersions(parseVersion(a), parseVersion(b));
    assertEquals(
      Math.sign(compareVersions(parseVersion(b), parseVersion(a))) + Math.sign(order),
      0,
    );
    if (a.includes("-") || b.includes("-")) return;
    assertEquals(parseConstraint(`>= ${b}`)(a), order >= 0);
    assertEquals(parseConstraint(`<= ${b}`)(a), order <= 0);
    assertEquals(parseConstraint(`= ${b}`)(a), order === 0);
    assertEquals(parseConstraint(`!= ${b}`)(a), order !== 0);
    assertEquals(parseConstraint(`> ${b}`)(a), order > 0);
    assertEquals(parseConstraint(`< ${b}`)(a), order < 0);
  }));
});

Deno.test("parseConstraint: never throws another error, whatever the text", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[<>=!~v0-9.,+\- \n]{0,40}$/),
  );
  fc.assert(fc.property(texts, (text) => {
    try {
      assertEquals(typeof parseVersionQuery(text)("1.2.3"), "boolean");
    } catch (error) {
      assert(error instanceof KiteError);
    }
  }));
});
