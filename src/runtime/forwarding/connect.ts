import { lookup } from "node:dns";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, rootCertificates } from "node:tls";
import { denoNamespace } from "../platform.ts";
import { isPrivateAddress, publicLookup } from "./addresses.ts";
import { NodeStream } from "./node_stream.ts";
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
  // Deno's own TLS cannot close a connection during its handshake.
  return deno === undefined || upstream.secure
    ? await connectNode(upstream, ca, signal)
    : await connectDeno(deno, upstream, signal);
}

async function connectDeno(
  deno: typeof Deno,
  { hostname, port, publicOnly }: Upstream,
  signal: AbortSignal,
): Promise<Stream> {
  // The connection uses the address that was checked.
  const address = publicOnly ? await publicAddress(hostname) : hostname;
  return new DenoStream(await deno.connect({ hostname: address, port, signal }));
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
  const isAddress = hostname.includes(":") || /^[\d.]+$/.test(hostname);
  const socket: Socket = secure
    ? connectTls({
      ...options,
      ALPNProtocols: ["http/1.1"],
      ...(ca.length === 0 ? {} : { ca: trusted(ca) }),
      ...(isAddress ? {} : { servername: hostname }),
    })
    : connectPlain(options);
  const abort = (): void => void socket.destroy(new Error("aborted"));
  signal.addEventListener("abort", abort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once(secure ? "secureConnect" : "connect", resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the connection was closed")));
    });
  } finally {
    signal.removeEventListener("abort", abort);
  }
  return new NodeStream(socket);
}

/** Adds the public authorities. In Node, `ca` replaces them; in Deno, it adds to them. */
function trusted(ca: readonly string[]): string[] {
  return denoNamespace() === undefined ? [...ca, ...rootCertificates] : [...ca];
}
