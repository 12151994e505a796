/**
 * Where this project is.
 *
 * @module
 */

/** The folder of deno.json, ending in a slash. */
export const ROOT: URL = new URL("../", import.meta.url);

/** Where built things go; git does not see it. */
export const CACHE: URL = new URL(".cache/", ROOT);

/** A file URL as a path of this system. */
export function fromFileUrl(url: URL): string {
  const path = decodeURIComponent(url.pathname);
  return Deno.build.os === "windows" ? path.slice(1).replaceAll("/", "\\") : path;
}
