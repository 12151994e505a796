import { KiteError } from "../protocol/errors.ts";

const BEGIN = "-----BEGIN ";
const END = "-----END ";
const DASHES = "-----";
/** The maximum length of a PEM text. An RSA key of 16,384 bits takes 13 KB. */
const MAX_PEM_LENGTH = 32_768;

/** Labels of PEM blocks that users may pass by mistake. Errors name only these. */
const KNOWN_LABELS: ReadonlySet<string> = new Set([
  "PUBLIC KEY",
  "RSA PUBLIC KEY",
  "PRIVATE KEY",
  "RSA PRIVATE KEY",
  "EC PRIVATE KEY",
  "ENCRYPTED PRIVATE KEY",
  "OPENSSH PRIVATE KEY",
  "CERTIFICATE",
  "CERTIFICATE REQUEST",
]);

/** One block of a PEM text. */
export interface PemBlock {
  /** The text after `BEGIN`. */
  readonly label: string;
  /** The DER bytes. */
  readonly der: Uint8Array<ArrayBuffer>;
}

/**
 * Reads the first accepted block of a PEM text and skips others, such as `EC PARAMETERS`.
 *
 * @param accepted The accepted labels.
 * @throws {KiteError} `configError` with the reason and the accepted labels. It never quotes the text.
 */
export function readPem(pem: string, accepted: readonly string[]): PemBlock {
  if (typeof pem !== "string") throw bad("it is not a string", accepted);
  if (pem.length > MAX_PEM_LENGTH) {
    throw bad(`it is longer than ${MAX_PEM_LENGTH} characters`, accepted);
  }
  let found: string | undefined;
  for (let from = pem.indexOf(BEGIN); from !== -1; from = pem.indexOf(BEGIN, from + 1)) {
    const labelEnd = pem.indexOf(DASHES, from + BEGIN.length);
    if (labelEnd === -1) break;
    const label = pem.slice(from + BEGIN.length, labelEnd);
    if (!accepted.includes(label)) {
      if (KNOWN_LABELS.has(label)) found ??= label;
      continue;
    }
    const end = pem.indexOf(`${END}${label}${DASHES}`, labelEnd);
    if (end === -1) throw bad(`the line "${END}${label}${DASHES}" is missing`, accepted);
    return { label, der: decode(pem.slice(labelEnd + DASHES.length, end), accepted) };
  }
  throw bad(found === undefined ? "it holds no key" : `it holds a ${found} block`, accepted);
}

/** Encodes bytes as a PEM block with lines of 64 characters, without a trailing line feed. */
export function writePem(label: string, der: Uint8Array): string {
  const text = btoa(String.fromCharCode(...der));
  const lines = [`${BEGIN}${label}${DASHES}`];
  for (let at = 0; at < text.length; at += 64) lines.push(text.slice(at, at + 64));
  return [...lines, `${END}${label}${DASHES}`].join("\n");
}

function decode(text: string, accepted: readonly string[]): Uint8Array<ArrayBuffer> {
  if (text.includes("Proc-Type:")) throw bad("the key is encrypted; decrypt it first", accepted);
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    throw bad("the text between its BEGIN and END lines is not base64", accepted);
  }
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function bad(what: string, accepted: readonly string[]): KiteError {
  const expected = accepted.map((label) => `"${BEGIN}${label}${DASHES}"`).join(" or ");
  return new KiteError("configError", `Cannot read PEM: ${what}; expected ${expected}`);
}
