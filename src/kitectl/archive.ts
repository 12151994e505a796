import { createTarDecoder, type ParsedTarEntry } from "modern-tar";
import { KiteError, messageOf } from "../protocol/errors.ts";
import { createFileFrom } from "../runtime/folders.ts";
import { makeDirectory } from "../runtime/files.ts";
import { Failure } from "./exit_codes.ts";

/** Limits of an archive. */
export interface ArchiveLimits {
  /** Bytes of the archive itself. */
  readonly packedBytes: number;
  /** Bytes of all files, unpacked. */
  readonly unpackedBytes: number;
  /** Files and folders. */
  readonly entries: number;
}

/** The limits of `kitectl install`. */
export const ARCHIVE_LIMITS: ArchiveLimits = Object.freeze({
  packedBytes: 256 * 1024 * 1024,
  unpackedBytes: 512 * 1024 * 1024,
  entries: 10_000,
});

const LONGEST_PATH = 1_000;
const DEEPEST_PATH = 32;

/**
 * Unpacks a `.tar.gz` with one folder in it. Only files and folders inside that folder are taken:
 * links, devices, absolute paths and `..` are refused, and so is what exceeds the limits.
 *
 * @param folder an empty folder
 * @returns the name of the folder in the archive
 * @throws {Failure} that says what is wrong with the archive; files unpacked before stay in
 * `folder`
 */
export async function unpack(
  bytes: AsyncIterable<Uint8Array>,
  folder: string,
  limits: ArchiveLimits,
): Promise<string> {
  const packed = bounded(bytes, limits.packedBytes, "the archive");
  try {
    const files = streamOf(packed).pipeThrough(new DecompressionStream("gzip"));
    const plain = bounded(files, limits.unpackedBytes, "what it unpacks to");
    const entries = streamOf(plain).pipeThrough(createTarDecoder({ strict: true }));
    return await unpackEntries(entries, folder, limits);
  } catch (error) {
    if (error instanceof Failure || error instanceof KiteError) throw error;
    throw refused(`it is no .tar.gz, or damaged (${messageOf(error)})`);
  }
}

async function unpackEntries(
  entries: ReadableStream<ParsedTarEntry>,
  folder: string,
  limits: ArchiveLimits,
): Promise<string> {
  let top: string | undefined;
  let count = 0;
  const folders = new Set<string>();
  const makeFolders = async (path: readonly string[]): Promise<void> => {
    const name = path.join("/");
    if (folders.has(name)) return;
    folders.add(name);
    await makeDirectory(`${folder}/${name}`, 0o700);
  };
  for await (const { header, body } of entries) {
    if (++count > limits.entries) throw refused(`it has more than ${limits.entries} entries`);
    const { type = "file", name, size } = header;
    if (type !== "file" && type !== "directory") throw refused(`${show(name)} is a ${type}`);
    const path = checkPath(name);
    if (path.length === 0) continue;
    top ??= path[0]!;
    if (path[0] !== top) throw refused(`it has more than one folder: ${show(path[0]!)}`);
    if (size > limits.unpackedBytes) throw tooMuch("what it unpacks to", limits.unpackedBytes);
    if (type === "directory") {
      await makeFolders(path);
    } else {
      if (path.length === 1) throw refused(`${show(name)} is outside of a folder`);
      await makeFolders(path.slice(0, -1));
      // As in Go's kitectl, files in bin/ are executable.
      const mode = path.length === 3 && path[1] === "bin" ? 0o700 : 0o600;
      await createFileFrom(`${folder}/${path.join("/")}`, body, mode);
      continue;
    }
    await body.cancel();
  }
  if (top === undefined) throw refused("it is empty");
  return top;
}

/** Splits a path, and refuses one that leads out of the archive. */
function checkPath(name: string): string[] {
  const isOdd = name.length > LONGEST_PATH || /\\|\p{Cc}/u.test(name);
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (name.startsWith("/") || /^[A-Za-z]:/.test(name) || isOdd || parts.includes("..")) {
    throw refused(`the path ${show(name)} may lead out of it`);
  }
  if (parts.length > DEEPEST_PATH) throw refused(`the path ${show(name)} is too deep`);
  return parts;
}

/** Passes bytes through, up to a limit. */
export async function* bounded(
  bytes: AsyncIterable<Uint8Array>,
  most: number,
  what: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let count = 0;
  for await (const chunk of bytes) {
    count += chunk.length;
    if (count > most) throw tooMuch(what, most);
    yield chunk as Uint8Array<ArrayBuffer>;
  }
}

function streamOf(
  bytes: AsyncGenerator<Uint8Array<ArrayBuffer>>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(bytes);
}

function tooMuch(what: string, most: number): Failure {
  return refused(`${what} has more than ${most / 1024 / 1024} MiB`);
}

function show(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}

function refused(reason: string): Failure {
  return new Failure(`Cannot install the archive: ${reason}`);
}
