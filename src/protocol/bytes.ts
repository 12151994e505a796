import { KiteError } from "./errors.ts";

/** Bytes converted per call of `String.fromCharCode`, which takes each byte as an argument. */
const CHUNK = 8_192;

/**
 * Encodes bytes as text that a call can carry: base64 with padding, the encoding of `[]byte` in Go
 * kites.
 *
 * @example
 * ```ts
 * import { decodeBytes, encodeBytes } from "@kite/kite";
 *
 * console.assert(encodeBytes(new Uint8Array([1, 2, 255])) === "AQL/");
 * console.assert(decodeBytes("AQL/")[2] === 255);
 * ```
 */
export function encodeBytes(bytes: Uint8Array | ArrayBuffer): string {
  const view = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  let binary = "";
  for (let start = 0; start < view.length; start += CHUNK) {
    binary += String.fromCharCode(...view.subarray(start, start + CHUNK));
  }
  return btoa(binary);
}

/**
 * Decodes text from {@linkcode encodeBytes} or from a Go kite.
 *
 * @example
 * ```ts
 * import { decodeBytes } from "@kite/kite";
 *
 * console.assert(decodeBytes("aGk=").length === 2);
 * ```
 *
 * @throws {KiteError} `argumentError` when the text is not base64
 */
export function decodeBytes(text: string): Uint8Array<ArrayBuffer> {
  let binary: string;
  try {
    binary = atob(text);
  } catch (cause) {
    throw new KiteError("argumentError", "Cannot decode bytes: the text is not base64", { cause });
  }
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
