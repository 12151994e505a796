import { KiteError, messageOf } from "../protocol/errors.ts";
import type { Limits } from "../protocol/limits.ts";

/** Texts by name that are sent with a call in addition to its arguments, such as trace ids. */
export type Metadata = Readonly<Record<string, string>>;

/** The limits that {@linkcode readMetadata} enforces. */
export type MetadataLimits = Pick<Limits, "metadataEntries" | "metadataBytes">;

/** The metadata of a request that has none. */
export const NO_METADATA: Metadata = Object.freeze(Object.create(null));

/**
 * Reads the metadata of a call. Values other than strings are dropped.
 *
 * @param value as a remote or a user gives it, unchecked
 * @returns a copy without a prototype; undefined when it is no object
 * @throws {KiteError} `limitError` when there is too much of it
 */
export function readMetadata(value: unknown, limits: MetadataLimits): Metadata | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { metadataEntries, metadataBytes } = limits;
  const metadata: Record<string, string> = Object.create(null);
  const encoder = new TextEncoder();
  let entries = 0;
  let left = metadataBytes;
  for (const name of Object.keys(value)) {
    const text = (value as Record<string, unknown>)[name];
    if (++entries > metadataEntries) {
      throw tooMuch(`more than ${metadataEntries} entries of metadata (limit: metadataEntries)`);
    }
    if (typeof text !== "string") continue;
    left -= encoder.encode(name + text).length;
    if (left < 0) {
      throw tooMuch(`more than ${metadataBytes} bytes of metadata (limit: metadataBytes)`);
    }
    metadata[name] = text;
  }
  return Object.freeze(metadata);
}

function tooMuch(reason: string): KiteError {
  return new KiteError("limitError", reason);
}

/**
 * Reads the metadata of an incoming call.
 *
 * @returns why the call is refused, if there is too much of it
 */
export function readOutcome(value: unknown, limits: MetadataLimits): Metadata | undefined | string {
  try {
    return readMetadata(value, limits);
  } catch (error) {
    return messageOf(error);
  }
}
