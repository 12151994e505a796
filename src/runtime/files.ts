import { KiteError } from "../protocol/errors.ts";
import { builtinModule, isAllowed } from "./host.ts";

/**
 * A file's text; `undefined` when there is no such file, when this process may not read it, and
 * where there are no files (browsers).
 *
 * @throws {KiteError} `configError`, naming the path: it is there, but reading it fails.
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

/** {@linkcode readTextFile} at once, for what is read while a kite is made. */
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
 * Puts a file in place as a whole: whoever reads the path sees the old text or the new, never a
 * part. The file gets `mode` whatever the umask, and so may replace one that is read-only.
 *
 * @throws {KiteError} `configError`, naming the path and the reason.
 */
export async function writeFileAtomic(path: string, text: string, mode: number): Promise<void> {
  await placeFile(path, text, mode, (fs, temporary) => fs.rename(temporary, path));
}

/**
 * Puts a new file in place as a whole, unless there is one: of several processes that try at once,
 * one succeeds.
 *
 * @returns False if there is a file already; it stays as it is.
 * @throws {KiteError} `configError`, naming the path and the reason.
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

/** Writes a temporary file beside `path`, and lets `put` make it the file there. */
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
    // After a failure, a second one here would only hide the first.
    await promises.rm(temporary, { force: true }).catch(() => {});
  }
}

/**
 * Makes a directory and those above it; a directory that is there already stays as it is.
 *
 * @throws {KiteError} `configError`, naming the path and the reason.
 */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  const { promises } = writableFiles(path);
  try {
    await promises.mkdir(path, { recursive: true, mode });
  } catch (error) {
    throw failure("make", path, error);
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
    throw new KiteError("configError", `Cannot write ${path}: there are no files here`);
  }
  return fs;
}

function missingOrThrow(path: string, error: unknown): undefined {
  const code = codeOf(error);
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  throw failure("read", path, error);
}

/** What the system's error codes mean, where its own words leave that open. */
const REASONS: Readonly<Record<string, string>> = Object.freeze({
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "permission denied",
  EPERM: "permission denied",
});

/** The reason of a file operation that failed, in words. */
export function fileFailure(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
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
