import { readKiteKeyClaims } from "../auth/kite_key.ts";
import type { Client } from "../client.ts";
import { KiteError } from "../protocol/errors.ts";

/** Knows why there is no connection to Kontrol, and lets calls fail with that. */
export class KontrolOutage {
  readonly #client: Client;
  /** The last failure to reach Kontrol; `undefined` while there is a connection. */
  #failure: KiteError | undefined;
  #hasConnected = false;
  /** Rejects when every URL has failed once; made when a call waits for it. */
  #round: PromiseWithResolvers<never> | undefined;

  /** @param urls How many URLs Kontrol has. */
  constructor(client: Client, urls: number) {
    this.#client = client;
    client.on("connect", () => {
      this.#failure = undefined;
      this.#hasConnected = true;
      this.#round = undefined;
    });
    client.on("dialError", ({ error, attempt }) => {
      this.#failure = error;
      if (attempt < urls) return;
      this.#round?.reject(error);
      this.#round = undefined;
    });
  }

  /**
   * Makes a call, and gives it up when Kontrol has never been reached and cannot be reached now.
   *
   * @param given The signal of the call, if it has one.
   */
  async during<Result>(
    given: AbortSignal | undefined,
    call: (signal: AbortSignal | undefined) => Promise<Result>,
  ): Promise<Result> {
    if (this.#hasConnected || this.#client.state === "open") return await call(given);
    const end = new AbortController();
    const signal = given === undefined ? end.signal : AbortSignal.any([given, end.signal]);
    this.#round ??= Promise.withResolvers();
    const { promise } = this.#round;
    promise.catch(() => {}); // the connection may come when no call waits any more
    try {
      return await Promise.race([call(signal), promise]);
    } finally {
      end.abort();
    }
  }

  /** The error to throw for one of a call: with Kontrol's URL and the reason, if it is out of reach. */
  explain(error: unknown): unknown {
    const cause = this.#failure;
    const isLocal = error instanceof KiteError &&
      (error === cause || error.type === "timeout" || error.type === "disconnect");
    if (!isLocal || cause === undefined) return error;
    return new KiteError(
      "sendError",
      `Cannot reach Kontrol at ${this.#client.url}: ${cause.message}`,
      { cause },
    );
  }
}

/** What Kontrols say of a kite.key that none of their key pairs has signed. */
const UNKNOWN_KEY = /no key pair found|kontrol key is not trusted|no kontrol key found/;

/**
 * Says what to do when Kontrol refuses our kite.key; every other error stays as it is.
 *
 * @param url Kontrol's URL.
 */
export function explainKiteKey(error: unknown, url: string, kiteKey: string | undefined): unknown {
  if (!(error instanceof KiteError) || error.type !== "authenticationError") return error;
  if (kiteKey === undefined || !UNKNOWN_KEY.test(error.message)) return error;
  const { kontrolURL = "" } = readKiteKeyClaims(kiteKey);
  const issued = kontrolURL === "" || kontrolURL === url
    ? ""
    : ` (it was issued for ${kontrolURL})`;
  return new KiteError(
    "authenticationError",
    `Cannot use this kite.key at Kontrol ${url}: ${error.message}. ` +
      `It is of another Kontrol${issued}, or of one whose key pairs are gone. ` +
      "Replace it with a kite.key of this Kontrol, or set kontrolUrl to the Kontrol that issued it",
    { cause: error, id: error.id },
  );
}
