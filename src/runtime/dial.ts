import type { Socket } from "node:net";
import { KiteError } from "../protocol/errors.ts";
import { denoNamespace } from "./host.ts";

/** Where a {@linkcode ByteStream} leads. */
export interface StreamTarget {
  /** A host name or address; IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** True for TLS. */
  readonly secure: boolean;
  /** Certificates of private authorities, PEM, trusted beside the public ones. */
  readonly ca: readonly string[];
  /** Gives the attempt up. Without effect once the stream is there. */
  readonly signal: AbortSignal;
}

/** A TCP or TLS connection. `TCP_NODELAY` is set: small writes leave at once. */
export interface ByteStream {
  /** The peer's `host:port`, or `""`. */
  readonly remoteAddress: string;
  /** Bytes given to `write` and not yet taken by the system. */
  readonly bufferedAmount: number;
  /** Writes `bytes`, which belong to the stream from then on. Never throws; after the end a no-op. */
  write(bytes: Uint8Array): void;
  /** Ends our side once everything is written. */
  end(): void;
  /** Drops the connection at once. */
  destroy(): void;
}

/** Who hears of a {@linkcode ByteStream}. */
export interface ByteStreamHandler {
  /** Bytes came in; they are the handler's only until it returns. */
  onData(bytes: Uint8Array): void;
  /** The connection is gone, and everything it held is freed. Once, and the last event. */
  onEnd(): void;
}

/** True where sockets can be opened: Deno, Node, Bun; not in a browser. */
export function canConnect(): boolean {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node !== undefined;
}

/**
 * Opens a connection.
 *
 * @throws {KiteError} `sendError` when the target cannot be reached; the reason of `target.signal`
 * when that was aborted.
 */
export async function connectStream(
  target: StreamTarget,
  handler: ByteStreamHandler,
): Promise<ByteStream> {
  const socket = await openSocket(target);
  const { hostname, port, signal } = target;
  if (signal.aborted) {
    socket.destroy();
    throw signal.reason;
  }
  let open = false;
  let failure: Error | undefined;
  socket.setNoDelay(true);
  socket.on("error", (error: Error) => failure = error); // "close" follows and tells of it
  const stream: ByteStream = {
    get remoteAddress() {
      const address = socket.remoteAddress ?? hostname;
      const host = address.includes(":") ? `[${address}]` : address;
      return `${host}:${socket.remotePort ?? port}`;
    },
    get bufferedAmount() {
      return socket.writableLength;
    },
    write: (bytes) => {
      if (socket.writable) socket.write(bytes);
    },
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  };
  return await new Promise((resolve, reject) => {
    const abort = () => void socket.destroy();
    signal.addEventListener("abort", abort, { once: true });
    socket.once(target.secure ? "secureConnect" : "connect", () => {
      signal.removeEventListener("abort", abort);
      open = true;
      resolve(stream);
    });
    socket.on("data", (bytes: Uint8Array) => handler.onData(bytes));
    socket.once("close", () => {
      if (open) return handler.onEnd();
      signal.removeEventListener("abort", abort);
      reject(signal.aborted ? signal.reason : unreachable(target, failure));
    });
  });
}

/** The Node modules are loaded on demand, so that a browser may import this one. */
async function openSocket({ hostname, port, secure, ca }: StreamTarget): Promise<Socket> {
  if (!secure) return (await import("node:net")).connect({ host: hostname, port });
  const { connect, rootCertificates } = await import("node:tls");
  return connect({
    host: hostname,
    port,
    ALPNProtocols: ["http/1.1"],
    // Node trusts these alone; Deno adds them to the public ones.
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
