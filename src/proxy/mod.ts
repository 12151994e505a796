/**
 * The proxies: they make kites reachable that others cannot dial.
 *
 * A {@linkcode ReverseProxy} puts many kites behind one host and port. A {@linkcode TunnelProxy} makes
 * kites reachable that nobody can dial, such as those behind NAT: they dial the proxy.
 *
 * @example
 * ```ts
 * import { ReverseProxy } from "@kite/kite/proxy";
 *
 * await using proxy = new ReverseProxy({ ip: "127.0.0.1", port: 0 });
 * await proxy.listen();
 * console.assert(proxy.url.endsWith("/kite"));
 * ```
 *
 * @module
 */
export { ReverseProxy, type ReverseProxyOptions } from "./reverse/proxy.ts";
export { TunnelProxy, type TunnelProxyOptions } from "./tunnel/proxy.ts";
export type { ProxyOptions } from "./server.ts";
export {
  DEFAULT_PROXY_LIMITS,
  DEFAULT_TUNNEL_LIMITS,
  type ProxyLimits,
  type TunnelProxyLimits,
} from "./limits.ts";
