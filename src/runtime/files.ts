import { KiteError, messageOf } from "../protocol/errors.ts";
import { builtinModule, isAllowed } from "./platform.ts";

/**
 * Reads a file as text.
 *
 * @returns `undefined` if there is no such file, if this process may not read it, and in browsers
 * @throws {KiteError} `configError` with the path if the file exists but reading it fails
 */
export async function readTextFile(path: string): Promise<string | undefined> {
  const fs = readableFiles(path);
  if (fs === undefined) return undefined;
  try {
    return await fs.promises.readFile(path, "utf8");
  } catch (error) {
    return missingOrThrow(path, error);
  }
}

/** The synchronous version of {@linkcode readTextFile}, for use in constructors. */
export function readTextFileSync(path: string): string | undefined {
  const fs = readableFiles(path);
  if (fs === undefined) return undefined;
  try {
    return fs.readFileSync(path, "utf8");
  } catch (error) {
    return missingOrThrow(path, error);
  }
}

/**
 * Writes a file atomically: readers see either the old text or the new one. Sets `mode` regardless of
 * the umask. Also replaces read-only files.
 *
 * @throws {KiteError} `configError` with the path and the reason
 */
export async function writeFileAtomic(path: string, text: string, mode: number): Promise<void> {
  await placeFile(path, text, mode, (fs, temporary) => fs.rename(temporary, path));
}

/**
 * Creates a file atomically, unless it exists. If several processes try at the same time, exactly one
 * succeeds.
 *
 * @returns false if the file already exists; it is not changed
 * @throws {KiteError} `configError` with the path and the reason
 */
export async function createFile(path: string, text: string, mode: number): Promise<boolean> {
  return await placeFile(path, text, mode, async (fs, temporary) => {
    try {
      await fs.link(temporary, path);
      return true;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      throw error;
    }
  });
}

type FileSystem = typeof import("node:fs").promises;

/** Writes a temporary file next to `path`; `put` then moves or links it to `path`. */
async function placeFile<Result>(
  path: string,
  text: string,
  mode: number,
  put: (fs: FileSystem, temporary: string) => Promise<Result>,
): Promise<Result> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  const { promises } = writableFiles(path, temporary);
  try {
    const file = await promises.open(temporary, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    return await put(promises, temporary);
  } catch (error) {
    throw failure("write", path, error);
  } finally {
    // A failure to clean up must not hide the first error.
    await promises.rm(temporary, { force: true }).catch(() => {});
  }
}

/**
 * Creates a directory and its parents. Existing directories are not changed.
 *
 * @throws {KiteError} `configError` with the path and the reason
 */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  const { promises } = writableFiles(path);
  try {
    await promises.mkdir(path, { recursive: true, mode });
  } catch (error) {
    throw failure("create", path, error);
  }
}

function readableFiles(path: string): typeof import("node:fs") | undefined {
  return isAllowed({ name: "read", path }) ? builtinModule("node:fs") : undefined;
}

function writableFiles(path: string, ...besides: string[]): typeof import("node:fs") {
  if (![path, ...besides].every((each) => isAllowed({ name: "write", path: each }))) {
    throw new KiteError(
      "configError",
      `Cannot write ${path}: Deno needs --allow-read and --allow-write for its directory`,
    );
  }
  const fs = builtinModule("node:fs");
  if (fs === undefined) {
    throw new KiteError("configError", `Cannot write ${path}: this runtime has no files`);
  }
  return fs;
}

function missingOrThrow(path: string, error: unknown): undefined {
  const code = codeOf(error);
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  throw failure("read", path, error);
}

/** Reasons for error codes of the system whose messages are unclear. */
const REASONS: Readonly<Record<string, string>> = Object.freeze({
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "permission denied",
  EPERM: "permission denied",
});

/** Describes why a file operation failed. */
export function fileFailure(error: unknown): string {
  const reason = messageOf(error);
  const known = REASONS[codeOf(error) ?? ""];
  return known === undefined ? reason : `${known} (${reason})`;
}

function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

function failure(verb: string, path: string, error: unknown): KiteError {
  return new KiteError("configError", `Cannot ${verb} ${path}: ${fileFailure(error)}`, {
    code: codeOf(error) ?? "",
    cause: error,
  });
}
