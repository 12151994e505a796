import { readTextFileSync } from "./files.ts";

const LIMITS_FILE = "/proc/self/limits";

/**
 * Reads how many files and sockets this process may have open.
 *
 * @param read reads a file; `undefined` if it is not there
 * @returns `undefined` where the system does not tell, or this process may not read it: Deno needs
 * all permissions for files below `/proc`
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
