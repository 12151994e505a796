import type { Client } from "../client.ts";
import type { KontrolQuery } from "../protocol/query.ts";
import type { RemoteKite } from "../rpc/remote.ts";
import type { DiscoveryHost } from "./discovery_host.ts";
import { ProxyRegistration, type ProxyRegistrationOptions } from "./proxy_registration.ts";

/** The part of {@linkcode KontrolClient} that finding proxies uses. */
export interface ProxyKontrol {
  getKites(query: KontrolQuery): Promise<Client[]>;
  register(url: string): Promise<unknown>;
}

/** The registrations of one kite at proxies. */
export class Proxies {
  readonly #host: DiscoveryHost;
  readonly #kontrol: ProxyKontrol;
  /** The connections that may request tunnels. */
  readonly #tunnelProxies = new WeakSet<RemoteKite>();
  #registration: ProxyRegistration | undefined;

  constructor(host: DiscoveryHost, kontrol: ProxyKontrol) {
    this.#host = host;
    this.#kontrol = kontrol;
  }

  /** See {@linkcode Kite.registerToProxy}. */
  registerToProxy(url: string, options: ProxyRegistrationOptions): Promise<string> {
    return this.#register("proxy", url, options, () => {});
  }

  /** See {@linkcode Kite.registerToTunnel}. */
  registerToTunnel(options: ProxyRegistrationOptions): Promise<string> {
    return this.#register("tunnelproxy", "", options, (client) => this.#tunnelProxies.add(client));
  }

  /** True for a connection that the kite has dialled to provide tunnels. */
  isTunnelProxy(remote: RemoteKite): boolean {
    return this.#tunnelProxies.has(remote);
  }

  /** Ends the registration. */
  close(): void {
    this.#registration?.stop();
    this.#registration = undefined;
  }

  #register(
    name: string,
    ownUrl: string,
    options: ProxyRegistrationOptions,
    connected: (client: Client) => void,
  ): Promise<string> {
    this.close();
    const { kontrolUrls, timeout } = this.#host;
    const toKontrol = options.kontrol ?? kontrolUrls.length > 0;
    this.#registration = new ProxyRegistration(
      {
        findProxies: () => this.#find(name, options),
        connected,
        publish: async (url) => {
          if (toKontrol) await this.#kontrol.register(url);
        },
        report: (what, error) => this.#host.report(what, error),
      },
      ownUrl,
      timeout,
    );
    return this.#registration.first;
  }

  async #find(name: string, options: ProxyRegistrationOptions): Promise<Client[]> {
    const { identity, kontrolUser } = this.#host;
    const proxyUrl = options.proxyUrl ?? this.#host.proxyUrl;
    if (proxyUrl !== undefined) {
      const authentication = this.#host.credentials();
      return [
        this.#host.newClient(proxyUrl, authentication === undefined ? {} : { authentication }),
      ];
    }
    const { environment } = identity;
    const clients = await this.#kontrol.getKites(
      options.query ?? { username: kontrolUser ?? "", environment, name },
    );
    return shuffled(clients);
  }
}

/** Shuffles proxies, so that kites are distributed over all of them. */
function shuffled<Item>(items: readonly Item[]): Item[] {
  const left = [...items];
  const order: Item[] = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(Math.random() * left.length), 1));
  return order;
}
