/** What `createHttpClient` takes, all of it PEM text. */
export interface HttpClientOptions {
  /** Certificates of authorities to trust, beside those that the runtime trusts already. */
  readonly ca?: string;
  /** The client's own certificate, for a server that asks for one; needs `key`. */
  readonly cert?: string;
  /** The private key of `cert`. */
  readonly key?: string;
}

/** A `fetch` with a connection pool of its own. */
export interface HttpClient {
  /** As the global `fetch`. */
  fetch(url: string | URL, init: RequestInit): Promise<Response>;
  /** Gives the pool up: its idle connections close. Call it once. */
  close(): void;
}
