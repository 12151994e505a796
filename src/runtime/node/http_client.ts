import type { IncomingMessage, RequestOptions } from "node:http";
import { messageOf } from "../../protocol/errors.ts";
import { cannotUse } from "../../protocol/refusal.ts";
import { nativeHttpClient } from "../native_http.ts";
import { builtinModule } from "../platform.ts";
import type { HttpClient, HttpClientOptions } from "../http_types.ts";

/**
 * Creates an HTTP client for Node and Bun. Their `fetch` takes neither private authorities nor client
 * certificates, so with these it is a client over `node:https`: without redirects or decompression.
 *
 * @throws {KiteError} `configError`: a certificate or key cannot be used, or not on this runtime.
 */
export function createNodeClient({ ca, cert, key }: HttpClientOptions): HttpClient {
  if (ca === undefined && cert === undefined) {
    return nativeHttpClient();
  }
  const https = builtinModule("node:https");
  if (https === undefined) {
    throw cannotUse("TLS options ca, cert and key", "this runtime does not support them");
  }
  const { rootCertificates, createSecureContext } = builtinModule("node:tls");
  const tls = {
    ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
  try {
    createSecureContext(tls);
  } catch (error) {
    throw cannotUse("TLS options", messageOf(error));
  }
  const agent = new https.Agent({ keepAlive: true, ...tls });
  const http = builtinModule("node:http");
  return {
    fetch: (url, init) => {
      const target = new URL(url);
      return target.protocol === "https:"
        ? send(https.request, target, init, { agent })
        : send(http.request, target, init, {});
    },
    close: () => agent.destroy(),
  };
}

type Send = typeof import("node:http").request;

function send(
  request: Send,
  url: URL,
  { method = "GET", headers, body, signal }: RequestInit,
  options: RequestOptions,
): Promise<Response> {
  const sent = new Headers(headers);
  if (typeof body === "string") {
    if (!sent.has("content-type")) sent.set("content-type", "text/plain;charset=UTF-8");
  } else if (body !== null && body !== undefined) {
    throw new TypeError("Cannot send the body: only text is supported");
  }
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const outgoing = request(url, {
      ...options,
      method,
      headers: Object.fromEntries(sent),
      ...(signal === null || signal === undefined ? {} : { signal }),
    });
    outgoing.on("error", (error) => reject(signal?.aborted ? signal.reason : error));
    outgoing.on("response", (incoming) => {
      try {
        resolve(responseOf(incoming));
      } catch (error) {
        outgoing.destroy();
        reject(error);
      }
    });
    outgoing.end(body ?? undefined);
  });
}

/** HTTP statuses whose responses have no body. */
const NO_BODY: readonly number[] = [204, 205, 304];

function responseOf(incoming: IncomingMessage): Response {
  const { statusCode: status = 502, statusMessage: statusText = "", rawHeaders } = incoming;
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  if (NO_BODY.includes(status)) {
    incoming.resume();
    return new Response(null, { status, statusText, headers });
  }
  const { Readable } = builtinModule("node:stream");
  const body = Readable.toWeb(incoming) as ReadableStream<Uint8Array<ArrayBuffer>>;
  return new Response(body, { status, statusText, headers });
}
