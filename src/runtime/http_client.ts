import { messageOf } from "../protocol/errors.ts";
import { cannotUse } from "../protocol/refusal.ts";
import type { HttpClient, HttpClientOptions } from "./http_types.ts";
import { createNodeClient } from "./node/http_client.ts";
import { nativeHttpClient } from "./native_http.ts";
import { denoNamespace } from "./platform.ts";

export type { HttpClient, HttpClientOptions } from "./http_types.ts";

/**
 * Creates an HTTP/1.1 client with its own connection pool. Without options, other runtimes than
 * Deno use the pool of the global `fetch`.
 *
 * @throws {KiteError} `configError` if a certificate or key cannot be used, or not on this runtime
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { ca, cert, key } = options;
  if ((cert === undefined) !== (key === undefined)) {
    throw cannotUse("TLS options", "must have both cert and key");
  }
  const deno = denoNamespace();
  if (deno === undefined) return createNodeClient(options);
  const pem = cert === undefined || key === undefined ? {} : { cert, key };
  const caCerts = ca === undefined ? {} : { caCerts: [ca] };
  const client = openClient(deno, { ...caCerts, ...pem });
  return {
    fetch: (url, init) => fetch(url, { ...init, client }),
    close: () => client.close(),
  };
}

/**
 * Creates an HTTP client that trusts private authorities in addition to the public ones. Without
 * private authorities, it is the global `fetch`.
 *
 * @param ca PEM
 * @throws {KiteError} `configError` as {@linkcode createHttpClient} does
 */
export function createTrustingClient(ca: readonly string[]): HttpClient {
  if (ca.length > 0) return createHttpClient({ ca: ca.join("\n") });
  return nativeHttpClient();
}

function openClient(
  deno: typeof Deno,
  options: { caCerts?: string[]; cert?: string; key?: string },
): Deno.HttpClient {
  try {
    const { caCerts, cert, key } = options;
    const trust = caCerts === undefined ? {} : { caCerts };
    return cert === undefined || key === undefined
      ? deno.createHttpClient({ http2: false, ...trust })
      : deno.createHttpClient({ http2: false, ...trust, cert, key });
  } catch (error) {
    throw cannotUse("TLS options", messageOf(error));
  }
}
