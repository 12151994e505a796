import { KiteError, messageOf } from "../protocol/errors.ts";
import type { HttpClient } from "../runtime/http_client.ts";
import { displayUrl, parseKiteUrl } from "../transport/url.ts";

/** Bytes of an answer that are read. */
const ANSWER_BYTES = 65_536;

/**
 * Sends an HTTP request to a Kontrol (docs/kontrol-protocol.md §3).
 *
 * Redirects are refused: following one would show our kite.key or heartbeat token to another server.
 *
 * @param client Sends the request.
 * @param kontrolUrl Kontrol's URL as a kite, such as "http://localhost:4000/kite".
 * @param path Such as "/register".
 * @param query Added to the query of `kontrolUrl`.
 * @returns The body of a successful answer.
 * @throws {KiteError} `sendError` when Kontrol cannot be reached, redirects, or fails;
 * `authenticationError` or `argumentError` when it refuses; `invalidResponse` when it sends too much.
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
    text = await readText(response);
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

/** The URL of one of Kontrol's HTTP paths, beside its `/kite`; a query of its own stays. */
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

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = "";
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES) {
      throw new KiteError(
        "invalidResponse",
        `Cannot read the answer of Kontrol: it is longer than ${ANSWER_BYTES} bytes`,
      );
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function refusal(status: number, text: string): KiteError {
  let reason = text.slice(0, 200);
  try {
    const { err } = JSON.parse(text) as { err?: unknown };
    if (typeof err === "string") reason = err.slice(0, 1_000);
  } catch {
    // The body is not JSON, so it is shown itself.
  }
  const type = status === 401
    ? "authenticationError"
    : status < 500
    ? "argumentError"
    : "sendError";
  return new KiteError(type, `Kontrol answered ${status}: ${reason}`);
}
