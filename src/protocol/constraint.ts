import { KiteError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { quote } from "./quote.ts";
import { compareVersions, readVersion, type Version } from "./version.ts";

/** True for a version that a query accepts. */
export type VersionMatcher = (version: string) => boolean;

type Operator = "=" | "!=" | ">" | ">=" | "<" | "<=" | "~>";
type Condition = (version: Version) => boolean;

const CONDITION = /^[ \t\n\f\r]*(=|!=|>=|<=|~>|>|<|)[ \t\n\f\r]*(.*?)[ \t\n\f\r]*$/s;

/**
 * Reads the `version` of a query. A version must match character by character: `1.0` does not match
 * `1.0.0`. Any other text is a constraint (see {@linkcode parseConstraint}).
 *
 * @throws {KiteError} `argumentError` if it is neither.
 */
export function parseVersionQuery(text: string): VersionMatcher {
  return readVersion(text) === undefined ? parseConstraint(text) : (version) => version === text;
}

/** True if the `version` of a query is not a plain version: a constraint, or empty. */
export function isConstraint(text: string): boolean {
  return readVersion(text) === undefined;
}

/**
 * Reads a constraint: conditions separated by commas, all of which must hold. A condition is an
 * operator (`=`, `!=`, `>`, `>=`, `<`, `<=`, `~>`, or none for `=`) and a version.
 *
 * `~> 1.2.3` matches 1.2.x from 1.2.3 on, `~> 1.2` matches 1.x from 1.2 on. A condition without a
 * prerelease matches no prereleases. A condition with a prerelease matches prereleases with the
 * same numbers, and matching releases (none for `~>`).
 *
 * @example
 * ```ts
 * import { parseConstraint } from "./constraint.ts";
 *
 * const fits = parseConstraint(">= 1.2, < 2.0, != 1.3.1");
 * console.assert(fits("1.3.0") && !fits("1.3.1") && !fits("1.4.0-beta"));
 * ```
 *
 * @throws {KiteError} `argumentError`
 */
export function parseConstraint(text: string): VersionMatcher {
  if (text.length > DEFAULT_LIMITS.nameLength) throw malformed(text);
  const parts = new Set(text.split(",").map((part) => part.trim()));
  const conditions = [...parts].map((part) => parseCondition(part, text));
  return (version) => {
    const candidate = readVersion(version);
    return candidate !== undefined && conditions.every((holds) => holds(candidate));
  };
}

function parseCondition(text: string, whole: string): Condition {
  const match = CONDITION.exec(text);
  const wanted = readVersion(match?.[2] ?? "");
  if (wanted === undefined) throw malformed(whole);
  const operator = (match?.[1] || "=") as Operator;
  const holds = comparison(operator, wanted);
  return (version) =>
    (version.prerelease === "" || admitsPrerelease(operator, wanted, version)) && holds(version);
}

function admitsPrerelease(operator: Operator, wanted: Version, { numbers }: Version): boolean {
  if (wanted.prerelease === "") return false;
  return operator === "!=" ||
    (wanted.numbers.length === numbers.length && startsAlike(wanted, numbers, numbers.length));
}

function comparison(operator: Operator, wanted: Version): Condition {
  switch (operator) {
    case "=":
      return (version) => compareVersions(version, wanted) === 0;
    case "!=":
      return (version) => compareVersions(version, wanted) !== 0;
    case ">":
      return (version) => compareVersions(version, wanted) > 0;
    case ">=":
      return (version) => compareVersions(version, wanted) >= 0;
    case "<":
      return (version) => compareVersions(version, wanted) < 0;
    case "<=":
      return (version) => compareVersions(version, wanted) <= 0;
    case "~>":
      return (version) =>
        (wanted.prerelease === "" || version.prerelease !== "") &&
        compareVersions(version, wanted) >= 0 &&
        version.numbers.length >= wanted.numbers.length &&
        startsAlike(wanted, version.numbers, wanted.given - 1);
  }
}

function startsAlike(wanted: Version, numbers: readonly number[], length: number): boolean {
  for (let index = 0; index < length; index++) {
    if (wanted.numbers[index] !== numbers[index]) return false;
  }
  return true;
}

function malformed(text: string): KiteError {
  return new KiteError(
    "argumentError",
    `Malformed constraint: ${
      quote(text)
    }; expected a constraint such as ">= 1.2, < 2.0" or "~> 1.2"`,
  );
}
