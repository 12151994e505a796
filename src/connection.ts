import type { Callback } from "./dnode/scrub.ts";
import type { KiteIdentity } from "./protocol/identity.ts";
import { IdCounter } from "./rpc/callback_table.ts";
import { Conversation } from "./rpc/conversation.ts";
import type { ConversationHost } from "./rpc/host.ts";
import { DnodeCodec } from "./rpc/dnode_codec.ts";
import { HeadMemo } from "./rpc/head_memo.ts";
import { Events, type Listener } from "./events.ts";
import { refuseOrigin } from "./origins.ts";
import { createApi } from "./rpc/api.ts";
import type { Api, Contract } from "./rpc/contract_types.ts";
import type { ApiOptions, RemoteKite, TellOptions } from "./rpc/remote.ts";
import { NO_OPTIONS } from "./rpc/tell_options.ts";
import type { KiteRequest } from "./rpc/request.ts";
import type { CloseInfo, Session, TransportName } from "./transport/session.ts";

/** What a connection needs from the kite that was dialled. */
export interface ConnectionHost extends ConversationHost {
  /** Starts callbacks before earlier asynchronous ones have finished. */
  readonly concurrentCallbacks: boolean;
  /** Called with the first request. */
  connectionHadRequest(connection: IncomingConnection, request: KiteRequest): void;
  /** Called when the connection has ended. */
  connectionClosed(connection: IncomingConnection, info: CloseInfo): void;
}

/** How a connection differs from others of its kite. */
export interface ConnectionOptions {
  /**
   * Offer compact messages if the kite does. Not through a tunnel: a Go proxy reads SockJS frames on the
   * way, and refuses those that are not arrays of strings.
   *
   * @default true
   */
  readonly compact?: boolean;
  /**
   * The origin of a page that may call no methods without authentication.
   *
   * @default none
   */
  readonly foreignOrigin?: string;
}

/** A connection of a remote kite that dialled this one. Its methods can be called back. */
export interface Connection extends RemoteKite {
  /** The transport of the connection. */
  readonly transport: TransportName;
  /** Bytes (estimated) that were sent and that the network has not accepted yet. */
  readonly unsentBytes: number;
  /** Numbers of calls, functions and streams that the connection keeps, to detect leaks. */
  readonly load: {
    /** Calls that wait for an answer. */
    readonly pending: number;
    /** Functions that the remote can call. */
    readonly callbacks: number;
    /** Requests of the remote that are being served. */
    readonly running: number;
    /** Open streams, in both directions. */
    readonly streams: number;
  };
  /**
   * Ends the connection. Resolves when it has ended. Further calls have no effect.
   *
   * @param code a WebSocket close code: 1000 or 3000–4999; default: 3000
   * @param reason text for the remote; default: "Go away!"
   */
  close(code?: number, reason?: string): Promise<void>;
}

/** The implementation of {@linkcode Connection}: authenticates the remote's calls. */
export class IncomingConnection implements Connection {
  readonly transport: TransportName;
  readonly #host: ConnectionHost;
  readonly #session: Session;
  readonly #conversation: Conversation;
  #events: Events<{ disconnect: CloseInfo }> | undefined;
  #end: CloseInfo | undefined;

  constructor(
    host: ConnectionHost,
    session: Session,
    { compact = true, foreignOrigin }: ConnectionOptions = {},
  ) {
    this.#host = host;
    this.#session = session;
    this.transport = session.transport;
    this.#conversation = new Conversation(host, session, {
      remote: this,
      codec: new DnodeCodec(host.limits, new HeadMemo()),
      ids: new IdCounter(),
      authenticates: true,
      refuseUnauthenticated: foreignOrigin === undefined
        ? undefined
        : (method) => refuseOrigin(method, foreignOrigin),
      credentials: noCredentials,
      remoteUrl: () => session.remoteAddress,
      concurrentCallbacks: host.concurrentCallbacks,
      compact: host.compact && compact,
      onClose: (info) => this.#closed(info),
      onFirstRequest: (request) => host.connectionHadRequest(this, request),
    });
  }

  get identity(): KiteIdentity | undefined {
    return this.#conversation.remoteIdentity;
  }

  get remoteAddress(): string {
    return this.#session.remoteAddress;
  }

  get unsentBytes(): number {
    return this.#conversation.unsentBytes;
  }

  get load(): Connection["load"] {
    return this.#conversation.load;
  }

  /** True if a message was received or sent. */
  get hadMessage(): boolean {
    return this.#conversation.hadMessage;
  }

  /** Begins to receive messages. */
  start(): void {
    this.#conversation.start();
  }

  tell(method: string, ...args: unknown[]): Promise<unknown>;
  tell<Result>(method: string, ...args: unknown[]): Promise<Result>;
  tell(method: string, ...args: unknown[]): Promise<unknown> {
    return this.#conversation.tell(NO_OPTIONS, method, args);
  }

  tellWith(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown>;
  tellWith<Result>(options: TellOptions, method: string, ...args: unknown[]): Promise<Result>;
  tellWith(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown> {
    return this.#conversation.tell(options, method, args);
  }

  as<C extends Contract>(contract: C, options: ApiOptions = {}): Api<C> {
    return createApi(this, contract, options);
  }

  release(callback: Callback): boolean {
    return this.#conversation.release(callback);
  }

  onDisconnect(listener: Listener<CloseInfo>): () => void {
    this.#events ??= new Events((_event, error) =>
      this.#host.report("A listener for the end of a connection failed", error)
    );
    const remove = this.#events.on("disconnect", listener);
    // A handler may add a listener after the connection has ended. It is called as well.
    const end = this.#end;
    if (end !== undefined) queueMicrotask(() => this.#tellEnd(end));
    return remove;
  }

  async close(code?: number, reason?: string): Promise<void> {
    if (this.#end !== undefined) return;
    const ended = new Promise<void>((resolve) => this.onDisconnect(() => resolve()));
    this.#conversation.close(code, reason);
    await ended;
  }

  /** Resolves when none of its requests is being served, or after `deadline` milliseconds. */
  idle(deadline: number): Promise<void> {
    return this.#conversation.idle(deadline);
  }

  #tellEnd(end: CloseInfo): void {
    const events = this.#events;
    this.#events = undefined;
    events?.emit("disconnect", end);
  }

  #closed(info: CloseInfo): void {
    this.#end = info;
    this.#tellEnd(info);
    this.#host.connectionClosed(this, info);
  }
}

/** A kite never sends its credentials to one that dialled it (docs/protocol.md §3). */
function noCredentials(): undefined {
  return undefined;
}
