import { KiteError, messageOf } from "../protocol/errors.ts";
import { architecture, operatingSystem } from "../runtime/env.ts";
import { readBytes } from "../runtime/folders.ts";
import { bounded } from "./archive.ts";
import { type Context, userPath } from "./context.ts";
import { EXIT, Failure } from "./exit_codes.ts";

/** Maximum size of a manifest, bytes. */
const MANIFEST_BYTES = 1024 * 1024;
const MOST_REDIRECTS = 5;

/** The content of a manifest (`.kite.json`) for this machine. */
export interface Manifest {
  readonly version: string;
  /** The URL or path of the archive. */
  readonly archive: string;
  /** The archive's SHA-256, hexadecimal, if the manifest contains it. */
  readonly sha256: string | undefined;
}

/** Reads the bytes at an https URL or in a file. */
export async function openSource(
  { signal }: Context,
  place: string,
): Promise<AsyncIterable<Uint8Array>> {
  if (!/^[a-z][a-z0-9+.-]+:/i.test(place)) return readBytes(userPath(place));
  let url = new URL(place);
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    if (url.protocol !== "https:") {
      throw new Failure(`Cannot download ${url.href}: must be an https URL or a file`, {
        code: EXIT.usage,
      });
    }
    const response = await request(url, signal);
    const location = response.headers.get("location");
    if (response.status >= 300 && response.status < 400 && location !== null) {
      await response.body?.cancel();
      url = new URL(location, url);
      continue;
    }
    if (response.ok && response.body !== null) return response.body;
    await response.body?.cancel();
    throw new Failure(`Cannot download ${url.href}: the server answered ${response.status}`, {
      code: response.status === 404 ? EXIT.notFound : EXIT.failed,
    });
  }
  throw new Failure(`Cannot download ${place}: it redirects more than ${MOST_REDIRECTS} times`);
}

async function request(url: URL, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { redirect: "manual", signal });
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new KiteError("sendError", `Cannot download ${url.href}: ${messageOf(cause)}`, { cause });
  }
}

/** Reads a manifest, and selects the archive for this machine. */
export async function readManifest(context: Context, place: string): Promise<Manifest> {
  const decoder = new TextDecoder();
  let text = "";
  const bytes = await openSource(context, place);
  for await (const chunk of bounded(bytes, MANIFEST_BYTES, "the manifest")) {
    text += decoder.decode(chunk, { stream: true });
  }
  let manifest: { version?: unknown; platforms?: unknown; sha256?: unknown } | null;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw new Failure(`Cannot read the manifest ${place}: it is not JSON`);
  }
  const platform = `${operatingSystem()}_${architecture()}`;
  const { version } = manifest ?? {};
  const archive = member(manifest?.platforms, platform);
  if (typeof version !== "string") {
    throw new Failure(`Cannot read the manifest ${place}: it has no version`);
  }
  if (typeof archive !== "string") {
    throw new Failure(`Cannot install from ${place}: it has nothing for ${platform}`, {
      code: EXIT.notFound,
    });
  }
  const sha256 = member(manifest?.sha256, platform);
  return {
    version,
    archive: resolve(archive, place),
    sha256: typeof sha256 === "string" ? sha256 : undefined,
  };
}

function member(value: unknown, name: string): unknown {
  const isObject = typeof value === "object" && value !== null && Object.hasOwn(value, name);
  return isObject ? (value as Record<string, unknown>)[name] : undefined;
}

/** Resolves the archive of a manifest. A manifest from the network cannot name a local file. */
function resolve(archive: string, manifest: string): string {
  if (/^https:/i.test(manifest)) return new URL(archive, manifest).href;
  if (/^[a-z][a-z0-9+.-]+:/i.test(archive) || archive.startsWith("/")) return archive;
  const folder = manifest.slice(0, manifest.lastIndexOf("/") + 1);
  return `${folder}${archive}`;
}
