/** The part of Bun's namespace that is used here; Bun's own types would come with all of Bun. */
export interface BunNamespace {
  serve(options: BunServeOptions): BunHttpServer;
}

/** Options of `Bun.serve`. */
export interface BunServeOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Seconds, at most 255. */
  readonly idleTimeout: number;
  readonly fetch: (
    request: Request,
    server: BunHttpServer,
  ) => Promise<Response | undefined> | Response | undefined;
  readonly error: (error: unknown) => Response;
  readonly websocket: {
    readonly idleTimeout: number;
    readonly sendPings: boolean;
    readonly maxPayloadLength: number;
    readonly backpressureLimit: number;
    readonly perMessageDeflate: boolean;
    open(socket: BunWebSocket): void;
    message(socket: BunWebSocket, data: string | Uint8Array): void;
    close(socket: BunWebSocket, code: number, reason: string): void;
  };
}

/** What `Bun.serve` returns. */
export interface BunHttpServer {
  readonly hostname: string;
  readonly port: number;
  /** Requests whose responses are not complete, without WebSockets. */
  readonly pendingRequests: number;
  /** The address of the peer; null once it has gone. */
  requestIP(request: Request): { readonly address: string; readonly port: number } | null;
  /** Sets the idle timeout of a request's connection in seconds; 0 for none. */
  timeout(request: Request, seconds: number): void;
  upgrade(request: Request, options: { readonly data: BunSocketOwner }): boolean;
  /** Resolves when the last connection has ended. */
  stop(closeActiveConnections?: boolean): Promise<void>;
}

/** The socket of `Bun.serve`. */
export interface BunWebSocket {
  readonly data: BunSocketOwner;
  readonly readyState: number;
  send(text: string): number;
  close(code?: number, reason?: string): void;
  terminate(): void;
  getBufferedAmount(): number;
}

/** Receives the events of one {@linkcode BunWebSocket}. */
export interface BunSocketOwner {
  opened(socket: BunWebSocket): void;
  received(data: string | Uint8Array): void;
  closed(code: number, reason: string): void;
}
