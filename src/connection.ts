import type { Callback } from "./dnode/scrub.ts";
import type { KiteIdentity } from "./protocol/identity.ts";
import { IdCounter } from "./rpc/callback_table.ts";
import { Conversation } from "./rpc/conversation.ts";
import type { ConversationHost } from "./rpc/host.ts";
import { DnodeCodec } from "./rpc/dnode_codec.ts";
import { Events } from "./events.ts";
import { createApi } from "./rpc/api.ts";
import type { Api, Contract } from "./rpc/contract_types.ts";
import type { ApiOptions, RemoteKite, TellOptions } from "./rpc/remote.ts";
import { NO_OPTIONS } from "./rpc/tell_options.ts";
import type { KiteRequest } from "./rpc/request.ts";
import type { CloseInfo, Session, TransportName } from "./transport/session.ts";

/** Who hears of the life of connections: the kite that was dialled. */
export interface ConnectionHost extends ConversationHost {
  /** Start callbacks without waiting for an async one before them to finish. */
  readonly concurrentCallbacks: boolean;
  /** The first request came. */
  connectionHadRequest(connection: Connection, request: KiteRequest): void;
  /** The connection is gone. */
  connectionClosed(connection: Connection, info: CloseInfo): void;
}

/** How a connection differs from others of its kite. */
export interface ConnectionOptions {
  /**
   * Offer compact messages where the kite does. Not through a tunnel: a Go proxy would read SockJS
   * frames on the way, and refuse those that are not arrays of strings.
   *
   * @default true
   */
  readonly compact?: boolean;
}

/** A remote kite that dialled us: its calls are authenticated, and we may call it back. */
export class Connection implements RemoteKite {
  /** What carries it. */
  readonly transport: TransportName;
  readonly #host: ConnectionHost;
  readonly #session: Session;
  readonly #conversation: Conversation;
  #events: Events<{ disconnect: CloseInfo }> | undefined;
  #end: CloseInfo | undefined;

  /** Made for each session that comes in. */
  constructor(host: ConnectionHost, session: Session, { compact = true }: ConnectionOptions = {}) {
    this.#host = host;
    this.#session = session;
    this.transport = session.transport;
    this.#conversation = new Conversation(host, session, {
      remote: this,
      codec: new DnodeCodec(host.limits),
      ids: new IdCounter(),
      authenticates: true,
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

  /** Bytes (estimated) that were sent and that the network has not taken yet. */
  get unsentBytes(): number {
    return this.#conversation.unsentBytes;
  }

  /** Sizes of the connection's tables, for those who watch for leaks. */
  get load(): { pending: number; callbacks: number; running: number; streams: number } {
    return this.#conversation.load;
  }

  /** True once a message has come or gone. */
  get hadMessage(): boolean {
    return this.#conversation.hadMessage;
  }

  /** Begins to hear of messages. */
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

  onDisconnect(listener: () => unknown): () => void {
    this.#events ??= new Events((_event, error) =>
      this.#host.report("a listener of a connection's end failed", error)
    );
    const remove = this.#events.on("disconnect", listener);
    // A handler that awaits may ask after the end: it hears of it all the same.
    const end = this.#end;
    if (end !== undefined) queueMicrotask(() => this.#tellEnd(end));
    return remove;
  }

  close(code?: number, reason?: string): void {
    this.#conversation.close(code, reason);
  }

  /** Resolves when none of its requests runs, or after `deadline` milliseconds. */
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

/** A kite that dialled us is never shown credentials of ours (docs/protocol.md §3). */
function noCredentials(): undefined {
  return undefined;
}
