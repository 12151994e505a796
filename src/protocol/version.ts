import { DEFAULT_LIMITS } from "./limits.ts";
import { cannotUse } from "./refusal.ts";

/** A parsed version. */
export interface Version {
  /** Its numbers, at least three: `1.2` has 1, 2, 0. */
  readonly numbers: readonly number[];
  /** How many numbers the text had. */
  readonly given: number;
  /** The text after `-`, or `""`. */
  readonly prerelease: string;
  /** The text after `+`, or `""`. Comparisons ignore it. */
  readonly metadata: string;
}

// A prerelease that begins with a letter needs no "-": 1.2beta.
const VERSION =
  /^v?(\d+(?:\.\d+)*)(?:-(\d[\dA-Za-z~-]*(?:\.[\dA-Za-z~-]+)*)|-?([A-Za-z~-][\dA-Za-z~-]*(?:\.[\dA-Za-z~-]+)*))?(?:\+([\dA-Za-z~-]+(?:\.[\dA-Za-z~-]+)*))?$/;
/** The same with exactly three numbers, which JavaScript represents exactly, and no `v`. */
const THREE_PARTS =
  /^\d{1,15}(?:\.\d{1,15}){2}(?:[A-Za-z~-][\dA-Za-z~-]*(?:\.[\dA-Za-z~-]+)*)?(?:\+[\dA-Za-z~-]+(?:\.[\dA-Za-z~-]+)*)?$/;
const INTEGER = /^-?\d+$/;

/**
 * Parses a version such as `1.2.3`. Accepts a leading `v`, fewer or more numbers, a prerelease
 * (`1.2.3-beta.1`) and metadata (`1.2.3+linux`).
 *
 * @throws {KiteError} `argumentError`
 */
export function parseVersion(text: string): Version {
  const version = readVersion(text);
  if (version === undefined) {
    const rule = "must be a version such as 1.2.3 or 1.2.3-beta.1";
    throw cannotUse("version", rule, { value: text, type: "argumentError" });
  }
  return version;
}

/** As {@linkcode parseVersion}, but returns `undefined` for text that is not a version. */
export function readVersion(text: string): Version | undefined {
  if (text.length > DEFAULT_LIMITS.nameLength) return undefined;
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  const numbers = (match[1] ?? "").split(".").map(Number);
  if (!numbers.every(Number.isSafeInteger)) return undefined;
  const given = numbers.length;
  while (numbers.length < 3) numbers.push(0);
  return { numbers, given, prerelease: match[2] ?? match[3] ?? "", metadata: match[4] ?? "" };
}

/** True for a version that a kite may have: exactly three numbers, no leading `v`. */
export function isThreePartVersion(text: string): boolean {
  return THREE_PARTS.test(text);
}

/**
 * Compares two versions. A prerelease comes before its release; metadata is ignored.
 *
 * @returns below 0 if `a` comes before `b`, above 0 if it comes after, 0 if they are equal
 */
export function compareVersions(a: Version, b: Version): number {
  return compareNumbers(a, b) || comparePrereleases(a.prerelease, b.prerelease);
}

function compareNumbers(a: Version, b: Version): number {
  const length = Math.max(a.numbers.length, b.numbers.length);
  for (let index = 0; index < length; index++) {
    const difference = (a.numbers[index] ?? 0) - (b.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function comparePrereleases(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "") return 1;
  if (b === "") return -1;
  const aParts = a.split(".");
  const bParts = b.split(".");
  const length = Math.max(aParts.length, bParts.length);
  for (let index = 0; index < length; index++) {
    const difference = compareParts(aParts[index], bParts[index]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Numbers come before words. A missing part comes before a number but after a word (alpha.beta <
 * alpha < alpha.1), as in hashicorp/go-version, which Go's Kontrol uses.
 */
function compareParts(a: string | undefined, b: string | undefined): number {
  if (a === undefined) return b === undefined ? 0 : INTEGER.test(b) ? -1 : 1;
  if (b === undefined) return INTEGER.test(a) ? 1 : -1;
  const aIsNumber = INTEGER.test(a);
  if (aIsNumber !== INTEGER.test(b)) return aIsNumber ? -1 : 1;
  if (aIsNumber) return Number(a) - Number(b);
  return a === b ? 0 : a < b ? -1 : 1;
}
