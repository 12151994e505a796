import { KiteError, messageOf } from "../protocol/errors.ts";
import { builtinModule, isAllowed } from "./platform.ts";

/** What a path leads to; a link is not followed. */
export type EntryKind = "file" | "folder" | "other";

/** An entry of a folder. */
export interface FolderEntry {
  readonly name: string;
  readonly kind: EntryKind;
}

/** The entries of a folder by name; none if there is no such folder. */
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

/** What is at a path; undefined if there is nothing. */
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

/** Moves a folder, in one step, to where there is none. */
export async function moveFolder(from: string, to: string): Promise<void> {
  await attempt("write", to, (fs) => fs.rename(from, to));
}

/** Removes a folder with everything in it, without following links; does nothing if there is none. */
export async function removeFolder(path: string): Promise<void> {
  await attempt("write", path, (fs) => fs.rm(path, { recursive: true, force: true }));
}

/**
 * Removes a folder if it is empty.
 *
 * @returns whether it did
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

/** Creates a file, which must not be there, from its bytes. */
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

/** The bytes of a file, in pieces. */
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
