import { readTextFileSync } from "./files.ts";

const LIMITS_FILE = "/proc/self/limits";

/**
 * Returns how many files and sockets this process may have open.
 *
 * @param read reads a file; returns `undefined` if it does not exist
 * @returns `undefined` if the limit is unknown, or this process may not read it: Deno needs all
 * permissions for files below `/proc`
 */
export function descriptorLimit(
  read: (path: string) => string | undefined = readTextFileSync,
): number | undefined {
  try {
    const [, limit] = /^Max open files\s+(\d+)/m.exec(read(LIMITS_FILE) ?? "") ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
