/** What the tests of the proxies share: proxies, kites behind them, and requests by hand. */

import { type Client, Kite, type KiteOptions } from "../../mod.ts";
import { ReverseProxy, type ReverseProxyOptions } from "../../src/proxy/mod.ts";
import { TunnelProxy, type TunnelProxyOptions } from "../../src/proxy/mod.ts";
import { ourKite } from "../interop/our_kite.ts";

const ALONE = { kiteKey: "", logLevel: "FATAL" } as const;

/** A reverse proxy on loopback that lets any kite register. */
export async function startReverseProxy(options: ReverseProxyOptions = {}): Promise<ReverseProxy> {
  const proxy = new ReverseProxy({
    ip: "127.0.0.1",
    port: 0,
    ...options,
    kite: { ...ALONE, disableAuthentication: true, ...options.kite },
  });
  await proxy.listen();
  return proxy;
}

/** A tunnel proxy on loopback that lets any kite register. */
export async function startTunnelProxy(options: TunnelProxyOptions = {}): Promise<TunnelProxy> {
  const proxy = new TunnelProxy({
    ip: "127.0.0.1",
    port: 0,
    ...options,
    kite: { ...ALONE, disableAuthentication: true, ...options.kite },
  });
  await proxy.listen();
  return proxy;
}

/** A kite that listens, with the methods of every peer, behind a reverse proxy. */
export async function kiteBehind(
  proxy: ReverseProxy,
  options: KiteOptions = {},
): Promise<{ kite: Kite; url: string } & AsyncDisposable> {
  const kite = ourKite(options);
  const server = await kite.listen();
  const url = await kite.registerToProxy(server.url, { proxyUrl: proxy.url, kontrol: false });
  return { kite, url, [Symbol.asyncDispose]: () => kite.close() };
}

/** A kite that does not listen, with the methods of every peer, behind a tunnel proxy. */
export async function kiteInTunnel(
  proxy: TunnelProxy,
  options: KiteOptions = {},
): Promise<{ kite: Kite; url: string } & AsyncDisposable> {
  const kite = ourKite(options);
  const url = await kite.registerToTunnel({ proxyUrl: proxy.url, kontrol: false });
  return { kite, url, [Symbol.asyncDispose]: () => kite.close() };
}

/** A client that has dialled `url`; closed with its scope. */
export async function dialled(
  url: string,
  options: Parameters<Kite["newClient"]>[1] = {},
): Promise<Client> {
  const client = new Kite("caller", "1.0.0", ALONE).newClient(url, options);
  await client.dial();
  return client;
}

/**
 * Sends bytes to a port and reads what comes back until the connection ends.
 *
 * @param within milliseconds after which what has come so far is the answer
 */
export async function exchange(port: number, text: string, within = 5_000): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  let answer = "";
  const timer = setTimeout(() => connection.close(), within);
  try {
    await connection.write(new TextEncoder().encode(text));
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const length = await connection.read(buffer);
      if (length === null) break;
      answer += decoder.decode(buffer.subarray(0, length), { stream: true });
    }
    connection.close();
  } catch (error) {
    // Closed by the timer, or reset by the proxy: what has come is the answer.
    if (
      !(error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
        error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe)
    ) {
      throw error;
    }
  } finally {
    clearTimeout(timer);
  }
  return answer;
}

/** The status of the first answer in a text; 0 when there is none. */
export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
}
