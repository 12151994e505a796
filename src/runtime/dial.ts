import type { Socket } from "node:net";
import { KiteError } from "../protocol/errors.ts";
import type { ByteStream, ByteStreamHandler } from "./byte_stream.ts";
import { denoNamespace } from "./platform.ts";
import { SocketStream } from "./socket_stream.ts";

/** The target of a {@linkcode ByteStream}. */
export interface StreamTarget {
  /** A host name or address; IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** True for TLS. */
  readonly secure: boolean;
  /** Certificates of private authorities, PEM, trusted in addition to the public ones. */
  readonly ca: readonly string[];
  /** Aborts the attempt. No effect once the stream is open. */
  readonly signal: AbortSignal;
}

/** True on runtimes that can open sockets: Deno, Node and Bun, but not browsers. */
export function canConnect(): boolean {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node !== undefined;
}

/**
 * Opens a connection.
 *
 * @throws {KiteError} `sendError` if the target cannot be reached; the reason of `target.signal` if
 * it was aborted.
 */
export async function connectStream(
  target: StreamTarget,
  handler: ByteStreamHandler,
): Promise<ByteStream> {
  const socket = await openSocket(target);
  const { signal } = target;
  if (signal.aborted) {
    socket.destroy();
    throw signal.reason;
  }
  let failure: Error | undefined;
  socket.setNoDelay(true);
  socket.on("error", (error: Error) => failure = error); // "close" follows, which reports it
  return await new Promise((resolve, reject) => {
    const abort = () => void socket.destroy();
    signal.addEventListener("abort", abort, { once: true });
    const stream = new SocketStream(socket, {
      onData: () => {},
      onEnd: () => {
        signal.removeEventListener("abort", abort);
        reject(signal.aborted ? signal.reason : unreachable(target, failure));
      },
    });
    socket.once(target.secure ? "secureConnect" : "connect", () => {
      signal.removeEventListener("abort", abort);
      stream.handler = handler;
      resolve(stream);
    });
  });
}

/** Loads the Node modules on demand, so that browsers can import this module. */
async function openSocket({ hostname, port, secure, ca }: StreamTarget): Promise<Socket> {
  if (!secure) return (await import("node:net")).connect({ host: hostname, port });
  const { connect, rootCertificates } = await import("node:tls");
  return connect({
    host: hostname,
    port,
    ALPNProtocols: ["http/1.1"],
    // In Node, `ca` replaces the public authorities; in Deno, it adds to them.
    ...(ca.length === 0 ? {} : { ca: isDeno() ? [...ca] : [...rootCertificates, ...ca] }),
    ...(isAddress(hostname) ? {} : { servername: hostname }),
  });
}

function isDeno(): boolean {
  return denoNamespace() !== undefined;
}

function isAddress(hostname: string): boolean {
  return hostname.includes(":") || /^[\d.]+$/.test(hostname);
}

function unreachable({ hostname, port }: StreamTarget, cause: Error | undefined): KiteError {
  const why = cause === undefined ? "the connection was closed" : cause.message;
  return new KiteError("sendError", `Cannot reach ${hostname}:${port}: ${why}`, { cause });
}
