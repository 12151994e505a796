/** Options of `createHttpClient`, in PEM format. */
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
