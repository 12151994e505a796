import { KiteError, messageOf } from "../protocol/errors.ts";
import type { HttpClient } from "../runtime/http_client.ts";
import { readText } from "../transport/read_text.ts";
import { displayUrl, parseKiteUrl } from "../transport/url.ts";

/** The maximum length of an answer, bytes. */
const ANSWER_BYTES = 65_536;

/**
 * Sends an HTTP request to a Kontrol (docs/kontrol-protocol.md §3).
 *
 * Redirects are refused, since following one would send our kite.key or heartbeat token to another
 * server.
 *
 * @param client Sends the request.
 * @param kontrolUrl Kontrol's URL as a kite, such as "http://localhost:4000/kite".
 * @param path Such as "/register".
 * @param query Added to the query of `kontrolUrl`.
 * @returns The body of a successful answer.
 * @throws {KiteError} `sendError` if Kontrol cannot be reached, redirects, or fails;
 * `authenticationError` or `argumentError` if it refuses; `invalidResponse` if the answer is too long
 */
export async function fetchKontrol(
  client: HttpClient,
  kontrolUrl: string,
  path: string,
  query: Readonly<Record<string, string>>,
  init: RequestInit,
): Promise<string> {
  const url = urlOf(kontrolUrl, path, query);
  const shown = displayUrl(url);
  let response: Response;
  let text: string;
  try {
    response = await client.fetch(url, { ...init, redirect: "manual" });
    text = await readAnswer(response);
  } catch (error) {
    if (error instanceof KiteError && error.type !== "timeout") throw error;
    const why = messageOf(error);
    throw new KiteError("sendError", `Cannot reach Kontrol at ${shown}: ${why}`, { cause: error });
  }
  if (response.ok) return text;
  const { status, type } = response;
  if (type === "opaqueredirect" || (status >= 300 && status < 400)) {
    const target = targetOf(response.headers.get("location"), url);
    throw new KiteError(
      "sendError",
      `Cannot use Kontrol at ${shown}: it redirects${target}, and redirects are not followed; ` +
        "set kontrolUrl to the URL of Kontrol itself",
    );
  }
  throw refusal(status, text);
}

/** Returns the URL of one of Kontrol's HTTP paths, next to `/kite`. Keeps the query of the URL. */
function urlOf(kontrolUrl: string, path: string, query: Readonly<Record<string, string>>): URL {
  const url = parseKiteUrl(kontrolUrl);
  url.pathname = url.pathname.replace(/\/+$/, "").replace(/\/kite$/, "") + path;
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}

function targetOf(location: string | null, base: URL): string {
  if (location === null || !URL.canParse(location, base.href)) return "";
  return ` to ${displayUrl(new URL(location, base))}`;
}

async function readAnswer(response: Response): Promise<string> {
  let left = ANSWER_BYTES;
  const text = await readText(response.body, (bytes) => (left -= bytes) >= 0);
  if (text !== undefined) return text;
  throw new KiteError(
    "invalidResponse",
    `Cannot read the answer of Kontrol: it is longer than ${ANSWER_BYTES} bytes`,
  );
}

function refusal(status: number, text: string): KiteError {
  let reason = text.slice(0, 200);
  try {
    const { err } = JSON.parse(text) as { err?: unknown };
    if (typeof err === "string") reason = err.slice(0, 1_000);
  } catch {
    // The body is not JSON; the error shows it unchanged.
  }
  const type = status === 401
    ? "authenticationError"
    : status < 500
    ? "argumentError"
    : "sendError";
  return new KiteError(type, `Kontrol answered ${status}: ${reason}`);
}
