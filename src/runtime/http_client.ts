import { messageOf } from "../protocol/errors.ts";
import { cannotUse } from "../protocol/refusal.ts";
import { nativeHttpClient } from "./native_http.ts";
import { denoNamespace } from "./platform.ts";

/** Options of {@linkcode createHttpClient}, in PEM format. */
export interface HttpClientOptions {
  /** Certificates of authorities to trust, in addition to those of the runtime. */
  readonly ca?: string;
  /** The client certificate, for servers that require one; needs `key`. */
  readonly cert?: string;
  /** The private key of `cert`. */
  readonly key?: string;
}

/** A `fetch` with its own connection pool. */
export interface HttpClient {
  /** Like the global `fetch`. */
  fetch(url: string | URL, init: RequestInit): Promise<Response>;
  /** Closes the pool and its idle connections. Call it once. */
  close(): void;
}

/**
 * Creates an HTTP/1.1 client with its own connection pool. On other runtimes than Deno, it uses the
 * pool of the global `fetch`.
 *
 * @throws {KiteError} `configError` if a certificate or key cannot be used, or not on this runtime
 */
export function createHttpClient({ ca, cert, key }: HttpClientOptions): HttpClient {
  if ((cert === undefined) !== (key === undefined)) {
    throw cannotUse("TLS options", "must have both cert and key");
  }
  const deno = denoNamespace();
  if (deno === undefined) {
    if (ca !== undefined || cert !== undefined) {
      throw cannotUse("TLS options ca, cert and key", "only Deno supports them");
    }
    return nativeHttpClient();
  }
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
