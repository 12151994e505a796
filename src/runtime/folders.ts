import { KiteError, messageOf } from "../protocol/errors.ts";
import { builtinModule, isAllowed } from "./platform.ts";

/** The kind of an entry. A symbolic link is `"other"`. */
export type EntryKind = "file" | "folder" | "other";

/** An entry of a folder. */
export interface FolderEntry {
  readonly name: string;
  readonly kind: EntryKind;
}

/** Lists the entries of a folder, sorted by name. Returns none if there is no such folder. */
export async function listFolder(path: string): Promise<FolderEntry[]> {
  return await attempt("read", path, async (fs) => {
    try {
      const entries = await fs.readdir(path, { withFileTypes: true });
      return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
        .sort((a, b) => a.name < b.name ? -1 : 1);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  });
}

/** Returns the kind and mode of the entry at a path, or undefined if there is none. */
export async function entryAt(
  path: string,
): Promise<{ readonly kind: EntryKind; readonly mode: number } | undefined> {
  return await attempt("read", path, async (fs) => {
    try {
      const entry = await fs.lstat(path);
      return { kind: kindOf(entry), mode: entry.mode & 0o777 };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  });
}

/** Moves a folder in one step. Nothing else may be at the new path. */
export async function moveFolder(from: string, to: string): Promise<void> {
  await attempt("write", to, (fs) => fs.rename(from, to));
}

/** Removes a folder and its contents. Does not follow links. Does nothing if there is no folder. */
export async function removeFolder(path: string): Promise<void> {
  await attempt("write", path, (fs) => fs.rm(path, { recursive: true, force: true }));
}

/**
 * Removes a folder if it is empty.
 *
 * @returns true if the folder was removed
 */
export async function removeEmptyFolder(path: string): Promise<boolean> {
  return await attempt("write", path, async (fs) => {
    try {
      await fs.rmdir(path);
      return true;
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === "ENOTEMPTY" || code === "EEXIST" || isMissing(error)) return false;
      throw error;
    }
  });
}

/** Creates a file with the given bytes. Fails if there is a file already. */
export async function createFileFrom(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  mode: number,
): Promise<void> {
  const file = await attempt("write", path, (fs) => fs.open(path, "wx", mode));
  try {
    for await (const chunk of bytes) await attempt("write", path, () => file.writeFile(chunk));
  } finally {
    await file.close();
  }
}

/** Reads a file in pieces. */
export async function* readBytes(path: string): AsyncGenerator<Uint8Array> {
  const file = await attempt("read", path, (fs) => fs.open(path, "r"));
  try {
    for (;;) {
      const { bytesRead, buffer } = await attempt(
        "read",
        path,
        () => file.read(new Uint8Array(65_536), 0, 65_536, null),
      );
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

type FileSystem = typeof import("node:fs").promises;

async function attempt<Result>(
  name: "read" | "write",
  path: string,
  work: (fs: FileSystem) => Promise<Result>,
): Promise<Result> {
  const fs = isAllowed({ name, path }) ? builtinModule("node:fs") : undefined;
  if (fs === undefined) {
    throw new KiteError("configError", `Cannot ${name} ${path}: Deno needs --allow-${name}`);
  }
  try {
    return await work(fs.promises);
  } catch (error) {
    if (error instanceof KiteError) throw error;
    throw new KiteError("configError", `Cannot ${name} ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "ENOENT" || code === "ENOTDIR";
}

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean }): EntryKind {
  if (entry.isDirectory()) return "folder";
  return entry.isFile() ? "file" : "other";
}
