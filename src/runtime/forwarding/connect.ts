import { lookup } from "node:dns";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, rootCertificates } from "node:tls";
import { denoNamespace } from "../platform.ts";
import { isPrivateAddress, publicLookup } from "./addresses.ts";
import { NodeStream, StreamDuplex } from "./node_stream.ts";
import { DenoStream, type Stream } from "./stream.ts";
import type { Upstream } from "./types.ts";

/**
 * Connects to an upstream.
 *
 * @param ca certificates of private authorities, PEM, trusted beside the public ones
 * @param signal aborts the attempt; no effect once the connection is open
 * @throws if it cannot be reached, or must be public but has a private address
 */
export async function connectTo(
  upstream: Upstream,
  ca: readonly string[],
  signal: AbortSignal,
): Promise<Stream> {
  const { hostname, publicOnly } = upstream;
  if (publicOnly && isPrivateAddress(hostname)) throw new Error("the address is private");
  signal.throwIfAborted();
  const deno = denoNamespace();
  return deno === undefined
    ? await connectNode(upstream, ca, signal)
    : await connectDeno(deno, upstream, ca, signal);
}

async function connectDeno(
  deno: typeof Deno,
  { hostname, port, secure, publicOnly }: Upstream,
  ca: readonly string[],
  signal: AbortSignal,
): Promise<Stream> {
  // The connection uses the address that was checked.
  const address = publicOnly ? await publicAddress(hostname) : hostname;
  const stream = new DenoStream(await deno.connect({ hostname: address, port, signal }));
  if (!secure) return stream;
  // Deno's own TLS cannot close a connection during its handshake.
  const duplex = new StreamDuplex(stream);
  const socket = connectTls({
    socket: duplex as unknown as Socket,
    ...tlsOptions(hostname, ca.length === 0 ? undefined : [...ca]),
  });
  duplex.feed(socket);
  return await opened(socket, "secureConnect", signal);
}

function publicAddress(hostname: string): Promise<string> {
  return new Promise((resolve, reject) => {
    publicLookup(hostname, { all: false }, (error, address) => {
      if (error === null) resolve(String(address));
      else reject(error);
    });
  });
}

async function connectNode(
  { hostname, port, secure, publicOnly }: Upstream,
  ca: readonly string[],
  signal: AbortSignal,
): Promise<Stream> {
  const options = {
    host: hostname,
    port,
    allowHalfOpen: true,
    lookup: publicOnly ? publicLookup : lookup,
  };
  if (!secure) return await opened(connectPlain(options), "connect", signal);
  // In Node, `ca` replaces the public authorities; in Deno, it adds to them.
  const trusted = ca.length === 0 ? undefined : [...ca, ...rootCertificates];
  const socket = connectTls({ ...options, ...tlsOptions(hostname, trusted) });
  return await opened(socket, "secureConnect", signal);
}

function tlsOptions(hostname: string, ca: string[] | undefined) {
  const isAddress = hostname.includes(":") || /^[\d.]+$/.test(hostname);
  return {
    host: hostname,
    ALPNProtocols: ["http/1.1"],
    ...(ca === undefined ? {} : { ca }),
    ...(isAddress ? {} : { servername: hostname }),
  };
}

/** Waits until a socket is open. */
async function opened(
  socket: Socket,
  event: "connect" | "secureConnect",
  signal: AbortSignal,
): Promise<Stream> {
  const abort = (): void => void socket.destroy(new Error("aborted"));
  signal.addEventListener("abort", abort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once(event, resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the connection was closed")));
      if (signal.aborted) abort();
    });
  } finally {
    signal.removeEventListener("abort", abort);
  }
  return new NodeStream(socket);
}
