import { KiteError } from "./errors.ts";

/** How many bytes are made a string at once: each is an argument of a call. */
const CHUNK = 8_192;

/**
 * Bytes as text that a call can carry: base64 with padding, as a Go kite writes its `[]byte`.
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
 * The bytes that {@linkcode encodeBytes}, or a Go kite, made text of.
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
