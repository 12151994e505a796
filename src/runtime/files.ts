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
    await promises.rename(temporary, path);
  } catch (error) {
    const failed = failure("written", path, error);
    // The first failure is the one to tell of; a second one here would only hide it.
    return promises.rm(temporary, { force: true }).then(() => {
      throw failed;
    }, () => {
      throw failed;
    });
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
    throw failure("made", path, error);
  }
}

function readableFiles(path: string): typeof import("node:fs") | undefined {
  return isAllowed({ name: "read", path }) ? builtinModule("node:fs") : undefined;
}

function writableFiles(path: string, ...besides: string[]): typeof import("node:fs") {
  if (![path, ...besides].every((each) => isAllowed({ name: "write", path: each }))) {
    throw new KiteError(
      "configError",
      `${path} cannot be written: Deno needs --allow-read and --allow-write for its directory`,
    );
  }
  const fs = builtinModule("node:fs");
  if (fs === undefined) {
    throw new KiteError("configError", `${path} cannot be written: there are no files here`);
  }
  return fs;
}

function missingOrThrow(path: string, error: unknown): undefined {
  const code = (error as { code?: unknown }).code;
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  throw failure("read", path, error);
}

function failure(what: string, path: string, error: unknown): KiteError {
  const reason = error instanceof Error ? error.message : String(error);
  return new KiteError("configError", `${path} cannot be ${what}: ${reason}`, { cause: error });
}
