import { KiteError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { quote } from "./quote.ts";
import { compareVersions, readVersion, type Version } from "./version.ts";

/** What a query asks of a version. */
export type VersionMatcher = (version: string) => boolean;

type Operator = "=" | "!=" | ">" | ">=" | "<" | "<=" | "~>";
type Condition = (version: Version) => boolean;

const CONDITION = /^[ \t\n\f\r]*(=|!=|>=|<=|~>|>|<|)[ \t\n\f\r]*(.*?)[ \t\n\f\r]*$/s;

/**
 * Reads the `version` of a query. A version is asked for as it is, text for text: `1.0` is not
 * `1.0.0`. Anything else is a constraint (see {@linkcode parseConstraint}).
 *
 * @throws {KiteError} `argumentError`: it is neither.
 */
export function parseVersionQuery(text: string): VersionMatcher {
  return readVersion(text) === undefined ? parseConstraint(text) : (version) => version === text;
}

/** True if the `version` of a query is a constraint, or nothing at all. */
export function isConstraint(text: string): boolean {
  return readVersion(text) === undefined;
}

/**
 * Reads a constraint: conditions with a comma between them, all of which must hold. A condition is
 * `=` (or nothing), `!=`, `>`, `>=`, `<`, `<=` or `~>` and a version.
 *
 * `~> 1.2.3` takes 1.2.x from 1.2.3 on, and `~> 1.2` 1.x from 1.2 on: the last number given may grow.
 * A condition without a prerelease takes no prerelease; one with a prerelease takes those of the
 * same three numbers, and any release that fits (`~>`: no release).
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
  // A condition that is repeated is checked once.
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
    `Malformed constraint: ${quote(text)}; right is for example ">= 1.2, < 2.0" or "~> 1.2"`,
  );
}
