/** A TCP or TLS connection with `TCP_NODELAY`, so that small writes are sent immediately. */
export interface ByteStream {
  /** The peer's `host:port`, or `""`. */
  readonly remoteAddress: string;
  /** Bytes passed to `write` that the system has not accepted yet. */
  readonly bufferedAmount: number;
  /**
   * Writes `bytes`, which the caller must not change afterwards. Never throws; does nothing after the
   * end.
   */
  write(bytes: Uint8Array<ArrayBuffer>): void;
  /** Ends our side after everything is written. */
  end(): void;
  /** Closes the connection immediately. */
  destroy(): void;
}

/** The listener of a {@linkcode ByteStream}. */
export interface ByteStreamHandler {
  /** Called with received bytes, which the handler may change, and which are reused afterwards. */
  onData(bytes: Uint8Array<ArrayBuffer>): void;
  /**
   * Called when the peer has ended its side. Without this function, the connection is closed then.
   */
  onPeerEnd?(): void;
  /** Called once as the last event, when the connection has ended. */
  onEnd(): void;
}

/** Formats the address of a peer. */
export function formatAddress(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
