import { Backoff } from "../backoff.ts";
import type { Client } from "../client.ts";
import { KiteError } from "../protocol/errors.ts";
import type { KontrolQuery } from "../protocol/query.ts";
import { pause } from "../runtime/turn.ts";
import { isPermanent } from "./discovery_host.ts";

/** Options of a registration at a proxy. */
export interface ProxyRegistrationOptions {
  /**
   * The proxy's URL.
   *
   * @default `proxyUrl` of the kite (`KITE_PROXY_URL`), else one that Kontrol knows
   */
  readonly proxyUrl?: string;
  /**
   * The query with which the kite finds a proxy at Kontrol.
   *
   * @default the proxies of Kontrol's user in the kite's environment
   */
  readonly query?: KontrolQuery;
  /**
   * Whether to register at Kontrol with the URL that the proxy returned.
   *
   * @default true when a Kontrol is known
   */
  readonly kontrol?: boolean;
}

/** The parts of a kite that a {@linkcode ProxyRegistration} uses. */
export interface ProxyRegistrationHost {
  /** Returns clients for the proxies to try, in that order, not dialled yet. */
  findProxies(): Promise<Client[]>;
  /** Called with the connection to a proxy before the kite registers there. */
  connected(client: Client): void;
  /** Publishes the URL that the proxy assigned. */
  publish(url: string): Promise<void>;
  /** Logs a problem for the kite's owner. */
  report(what: string, error?: unknown): void;
}

/** Keeps a kite registered at a proxy. When the proxy disconnects, it looks for another one. */
export class ProxyRegistration {
  /**
   * Resolves with the kite's URL at the proxy after the first success. Rejects if a proxy refuses
   * before that.
   */
  readonly first: Promise<string>;
  readonly #host: ProxyRegistrationHost;
  readonly #ownUrl: string;
  readonly #timeout: number;
  readonly #settle = Promise.withResolvers<string>();
  readonly #lifetime = new AbortController();
  readonly #backoff = new Backoff({ initialDelay: 250, maxDelay: 10_000 });
  #hasSucceeded = false;

  /**
   * @param ownUrl the URL at which the proxy reaches the kite; `""` for a tunnel
   * @param timeout milliseconds for the proxy's answer
   */
  constructor(host: ProxyRegistrationHost, ownUrl: string, timeout: number) {
    this.#host = host;
    this.#ownUrl = ownUrl;
    this.#timeout = timeout;
    this.first = this.#settle.promise;
    this.first.catch(() => {}); // no one may be waiting for it
    void this.#run();
  }

  /** Ends the registration and its connection. Idempotent. */
  stop(): void {
    this.#lifetime.abort();
    this.#settle.reject(
      new KiteError("aborted", "Cannot register at a proxy: the registration was stopped"),
    );
  }

  async #run(): Promise<void> {
    const { signal } = this.#lifetime;
    while (!signal.aborted) {
      try {
        await this.#registerOnce();
      } catch (error) {
        if (signal.aborted) return;
        if (!this.#hasSucceeded && isPermanent(error)) {
          this.#settle.reject(error);
          return this.#lifetime.abort();
        }
        this.#host.report("Cannot register at a proxy, trying again", error);
      }
      const delay = this.#backoff.next();
      if (delay !== undefined) await pause(delay, signal);
    }
  }

  /** Registers at one proxy. Returns when the connection to it has ended. */
  async #registerOnce(): Promise<void> {
    const client = await this.#connect();
    const { signal } = this.#lifetime;
    const gone = new Promise<void>((resolve) => client.onDisconnect(() => resolve()));
    const close = (): void => void client.close();
    signal.addEventListener("abort", close);
    try {
      if (signal.aborted) return;
      this.#host.connected(client);
      const answer = await client.tellWith({ timeout: this.#timeout }, "register", this.#ownUrl);
      const url = readUrl(answer);
      await Promise.race([this.#host.publish(url), gone]);
      if (client.state !== "open") return;
      this.#hasSucceeded = true;
      this.#backoff.reset();
      this.#settle.resolve(url);
      await gone;
      if (!signal.aborted) this.#host.report("The proxy has disconnected, looking for another one");
    } finally {
      signal.removeEventListener("abort", close);
      await client.close();
    }
  }

  /** Dials the first proxy that answers, and closes the clients of the others. */
  async #connect(): Promise<Client> {
    const clients = await this.#host.findProxies();
    let failure: unknown;
    let connected: Client | undefined;
    for (const client of clients) {
      if (connected === undefined && !this.#lifetime.signal.aborted) {
        try {
          await client.dial({ signal: this.#lifetime.signal });
          connected = client;
          continue;
        } catch (error) {
          failure = error;
        }
      }
      await client.close();
    }
    if (connected !== undefined) return connected;
    throw failure ?? new KiteError("genericError", "Cannot register at a proxy: none is available");
  }
}

function readUrl(answer: unknown): string {
  if (typeof answer === "string" && /^(https?|wss?):/.test(answer) && URL.canParse(answer)) {
    return answer;
  }
  throw new KiteError(
    "invalidResponse",
    "Cannot read the proxy's answer to register: must be a URL",
  );
}
