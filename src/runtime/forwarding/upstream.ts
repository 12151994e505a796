import { Agent as PlainAgent, type ClientRequest, request as plainRequest } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import { isPrivateAddress, publicLookup } from "./addresses.ts";
import type { Decision, Upstream } from "./types.ts";

/** Milliseconds until an idle connection is closed; shorter than the keep-alive of servers. */
const KEPT_FOR = 4_000;
const MOST_KEPT = 256;

/** Opens requests to upstreams, and keeps idle connections for the next ones. */
export class Upstreams {
  readonly #plain = new PlainAgent({
    keepAlive: true,
    maxFreeSockets: MOST_KEPT,
    timeout: KEPT_FOR,
  });
  readonly #tls = new TlsAgent({ keepAlive: true, maxFreeSockets: MOST_KEPT, timeout: KEPT_FOR });
  readonly #ca: readonly string[];

  /** @param ca certificates of private authorities, PEM, trusted beside the public ones */
  constructor(ca: readonly string[]) {
    this.#ca = ca;
  }

  /**
   * Opens a request, which the caller must end. It emits errors as `error` events.
   *
   * @param method such as "POST"; `undefined` for a WebSocket handshake, which gets its own connection
   * @throws {Error} if the upstream must be public but has a private address
   */
  open(decision: Decision & { kind: "forward" }, method: string | undefined): ClientRequest {
    const { upstream, target, headers } = decision;
    const { hostname, port, secure, publicOnly } = upstream;
    if (publicOnly && isPrivateAddress(hostname)) throw new Error("the address is private");
    const options = {
      hostname,
      port,
      path: target,
      method: method ?? "GET",
      agent: method === undefined ? false as const : secure ? this.#tls : this.#plain,
      headers: [...headers],
      setHost: false,
      ...(publicOnly ? { lookup: publicLookup } : {}),
    };
    if (!secure) return plainRequest(options);
    const ca = this.#ca.length === 0 ? {} : { ca: [...this.#ca] };
    return tlsRequest({ ...options, ...ca, ...serverName(upstream) });
  }

  /** Closes the idle connections. */
  close(): void {
    this.#plain.destroy();
    this.#tls.destroy();
  }
}

function serverName({ hostname }: Upstream): { servername?: string } {
  return hostname.includes(":") || /^[\d.]+$/.test(hostname) ? {} : { servername: hostname };
}
