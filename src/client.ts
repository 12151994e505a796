import { Dialler } from "./dialler.ts";
import type { Callback } from "./dnode/scrub.ts";
import { KiteError } from "./protocol/errors.ts";
import type { KiteIdentity } from "./protocol/identity.ts";
import type { BackoffOptions } from "./backoff.ts";
import { IdCounter } from "./rpc/callback_table.ts";
import type { Authentication } from "./rpc/codec.ts";
import { Conversation } from "./rpc/conversation.ts";
import type { ConversationHost } from "./rpc/host.ts";
import { DnodeCodec } from "./rpc/dnode_codec.ts";
import { Events, type Listener } from "./events.ts";
import type { RemoteKite, TellOptions } from "./rpc/remote.ts";
import { WaitingCalls } from "./waiting_calls.ts";
import type { ClientTransport } from "./transport/dial.ts";
import type { CloseInfo, Session, TransportName } from "./transport/session.ts";

/** How a client connects, what it shows, and what it does when the connection goes. */
export interface ClientOptions {
  /** What each call shows to the remote. @default none */
  readonly authentication?: Authentication;
  /**
   * `"auto"` speaks SockJS over WebSocket and falls back to XHR polling when the WebSocket handshake
   * is refused; `"rawWebSocket"` is for a kite.js server with its default transport.
   * @default the kite's `transport`, "auto"
   */
  readonly transport?: ClientTransport;
  /** Milliseconds that one try to connect may take. @default the kite's `handshakeTimeout`, 10_000 */
  readonly handshakeTimeout?: number;
  /** Milliseconds without a sign of life from the remote until the connection counts as lost. @default 60_000 */
  readonly idleTimeout?: number;
  /**
   * Dial again when the connection goes; with options for the delays.
   * @default false after `dial`, true after `dialForever`
   */
  readonly reconnect?: boolean | BackoffOptions;
  /**
   * What becomes of calls made while there is no connection but one is being dialled: they wait,
   * within their own timeout, or fail with `disconnect` at once.
   * @default "wait"
   */
  readonly whileDown?: "wait" | "fail";
  /** Start callbacks without waiting for an async one before them to finish. @default false */
  readonly concurrentCallbacks?: boolean;
  /** What is known of the remote before it says anything itself. */
  readonly identity?: KiteIdentity;
  /** Check the authentication of calls that the remote makes to us, although we dialled it. @default false */
  readonly authenticateRemote?: boolean;
}

/** What a client tells its listeners. */
export interface ClientEvents {
  /** There is a connection. */
  connect: { readonly transport: TransportName };
  /** The connection is gone. `willRedial` says whether another try follows. */
  disconnect: CloseInfo & { readonly willRedial: boolean };
  /** One try to connect failed. */
  dialError: { readonly error: KiteError; readonly attempt: number };
  /** The last try allowed by `maxAttempts` failed. */
  giveUp: { readonly attempts: number };
  /** The remote answered that our token is expired. */
  tokenExpire: { readonly error: KiteError };
  /** `authentication` was replaced. */
  tokenRenew: { readonly authentication: Authentication };
}

/** What else the library does with a client's calls. */
export interface ClientHooks {
  /** What a call has to wait for before it is sent; asked for each call on an open connection. */
  readonly beforeCall?: () => Promise<void> | undefined;
}

/** What a client needs from the kite that it belongs to. */
export interface ClientHost extends ConversationHost {
  /** Defaults for every client of the kite. */
  readonly clientDefaults: {
    readonly transport: ClientTransport;
    readonly handshakeTimeout: number;
  };
  /** Hears of clients that open, to close them with the kite. */
  clientOpened(client: Client): void;
  /** Hears of clients that close. */
  clientClosed(client: Client): void;
}

/** Where a client stands. */
export type ClientState = "idle" | "connecting" | "open" | "redialling" | "closed";

/**
 * A connection to one remote kite, dialled by us: calls travel both ways over it.
 *
 * @example
 * ```ts ignore
 * import { Kite } from "@kite/kite";
 *
 * const kite = new Kite("exp2", "1.0.0");
 * await using remote = kite.newClient("http://localhost:3636/kite");
 * await remote.dial();
 * console.log(await remote.tell("square", 4)); // 16
 * ```
 */
export class Client implements RemoteKite, AsyncDisposable {
  readonly #host: ClientHost;
  readonly #options: ClientOptions;
  readonly #events: Events<ClientEvents>;
  readonly #ids = new IdCounter();
  readonly #waiting: WaitingCalls;
  readonly #beforeCall: ClientHooks["beforeCall"];
  readonly #dialler: Dialler;
  readonly #lifetime = new AbortController();
  #authentication: Authentication | undefined;
  #reconnect: boolean;
  #state: ClientState = "idle";
  #session: Session | undefined;
  #conversation: Conversation | undefined;
  #identity: KiteIdentity | undefined;
  #dialling: Promise<void> | undefined;

  /** Made by {@linkcode Kite.newClient}. */
  constructor(
    host: ClientHost,
    url: string | URL | readonly string[],
    options: ClientOptions = {},
    hooks: ClientHooks = {},
  ) {
    this.#host = host;
    this.#beforeCall = hooks.beforeCall;
    this.#options = options;
    this.#authentication = options.authentication;
    this.#identity = options.identity;
    this.#reconnect = options.reconnect !== undefined && options.reconnect !== false;
    this.#waiting = new WaitingCalls(host.limits.waitingCalls);
    this.#events = new Events((event, error) =>
      host.report(`a listener of the client's "${event}" event failed`, error)
    );
    const urls = typeof url === "string" || url instanceof URL ? [String(url)] : url;
    this.#dialler = new Dialler(urls, {
      transport: options.transport ?? host.clientDefaults.transport,
      handshakeTimeout: options.handshakeTimeout ?? host.clientDefaults.handshakeTimeout,
      idleTimeout: options.idleTimeout,
      limits: host.limits,
      backoff: typeof options.reconnect === "object" ? options.reconnect : {},
      lifetime: this.#lifetime.signal,
    }, {
      dialError: (error, attempt) => this.#events.emit("dialError", { error, attempt }),
      giveUp: (attempts) => this.#events.emit("giveUp", { attempts }),
    });
  }

  /** The remote's URL: of several, the one in use. */
  get url(): string {
    return this.#dialler.url;
  }

  /** Where the client stands. */
  get state(): ClientState {
    return this.#state;
  }

  get identity(): KiteIdentity | undefined {
    return this.#conversation?.remoteIdentity ?? this.#identity;
  }

  get remoteAddress(): string {
    return this.#session?.remoteAddress ?? "";
  }

  /** The transport of the present connection. */
  get transport(): TransportName | undefined {
    return this.#session?.transport;
  }

  /** What each call shows to the remote; may be replaced at any time. */
  get authentication(): Authentication | undefined {
    return this.#authentication;
  }

  set authentication(authentication: Authentication | undefined) {
    this.#authentication = authentication;
    if (authentication !== undefined) this.#events.emit("tokenRenew", { authentication });
  }

  /** Sizes of the tables of the present connection, for those who watch for leaks. */
  get load(): { pending: number; callbacks: number; running: number; waiting: number } {
    const load = this.#conversation?.load ?? { pending: 0, callbacks: 0, running: 0 };
    return { ...load, waiting: this.#waiting.size };
  }

  /** Hears of an event. @returns a function that removes the listener */
  on<Name extends keyof ClientEvents>(
    name: Name,
    listener: Listener<ClientEvents[Name]>,
  ): () => void {
    return this.#events.on(name, listener);
  }

  /** Hears of every connection that comes about. @returns a function that removes the listener */
  onConnect(listener: () => unknown): () => void {
    return this.on("connect", listener);
  }

  onDisconnect(listener: () => unknown): () => void {
    return this.on("disconnect", listener);
  }

  /** Hears when the remote calls our token expired. @returns a function that removes the listener */
  onTokenExpire(listener: () => unknown): () => void {
    return this.on("tokenExpire", listener);
  }

  /** Hears when `authentication` is replaced. @returns a function that removes the listener */
  onTokenRenew(listener: (token: Authentication) => unknown): () => void {
    return this.on("tokenRenew", ({ authentication }) => listener(authentication));
  }

  /**
   * Connects, with one try. A no-op when there is a connection already.
   *
   * @throws {KiteError} `sendError` when the remote cannot be reached, `timeout`, `aborted`,
   * `configError` for a URL that is none
   */
  dial(options: { timeout?: number; signal?: AbortSignal } = {}): Promise<void> {
    const { timeout, signal } = options;
    return this.#dialOnce("connecting", () => this.#dialler.dial(timeout, signal));
  }

  /** Connects within `timeout` milliseconds, see {@linkcode Client.dial}. */
  dialTimeout(timeout: number): Promise<void> {
    return this.dial({ timeout });
  }

  /**
   * Connects, trying again until it succeeds, and again whenever the connection goes.
   *
   * @throws {KiteError} `aborted`; `disconnect` when closed meanwhile or after `maxAttempts`
   */
  dialForever(options: { signal?: AbortSignal } = {}): Promise<void> {
    this.#reconnect = true;
    return this.#redial(options.signal);
  }

  tell<Result = unknown>(method: string, ...args: unknown[]): Promise<Result> {
    return this.#tell({}, method, args) as Promise<Result>;
  }

  tellWith<Result = unknown>(
    options: TellOptions,
    method: string,
    ...args: unknown[]
  ): Promise<Result> {
    return this.#tell(options, method, args) as Promise<Result>;
  }

  release(callback: Callback): boolean {
    return this.#conversation?.release(callback) ?? false;
  }

  /** Ends the connection for good: running calls fail with `disconnect`. Idempotent. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#lifetime.abort(notConnected("the client was closed"));
    this.#waiting.rejectAll(notConnected("the client was closed"));
    this.#conversation?.close();
    if (this.#conversation === undefined) this.#host.clientClosed(this);
  }

  /** Closes, and waits until the connection is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    const gone = this.#conversation === undefined
      ? Promise.resolve()
      : new Promise<void>((resolve) => this.#events.once("disconnect", () => resolve()));
    this.close();
    await gone;
  }

  #tell(options: TellOptions, method: string, args: readonly unknown[]): Promise<unknown> {
    const due = this.#conversation === undefined ? undefined : this.#beforeCall?.();
    if (due !== undefined) return this.#tellAfter(due, options, method, args);
    if (this.#conversation !== undefined) return this.#conversation.tell(options, method, args);
    return this.#tellLater(options, method, args);
  }

  /** Waits for `due` within the call's own timeout. */
  async #tellAfter(
    due: Promise<void>,
    options: TellOptions,
    method: string,
    args: readonly unknown[],
  ): Promise<unknown> {
    const waiting = this.#waiting.wait(
      method,
      options.timeout ?? this.#host.timeout,
      options.signal,
    );
    due.finally(() => this.#waiting.resolveAll()).catch(() => {});
    return this.#tell({ ...options, timeout: await waiting }, method, args);
  }

  async #tellLater(
    options: TellOptions,
    method: string,
    args: readonly unknown[],
  ): Promise<unknown> {
    if (this.#state === "idle") throw notConnected("dial first");
    if (this.#state === "closed") throw notConnected("the client was closed");
    if (this.#options.whileDown === "fail") throw notConnected("the remote is being dialled");
    const given = options.timeout ?? this.#host.timeout;
    const timeout = await this.#waiting.wait(method, given, options.signal);
    return this.#tell({ ...options, timeout }, method, args);
  }

  #redial(signal?: AbortSignal): Promise<void> {
    return this.#dialOnce("redialling", () => this.#dialler.dialForever(signal));
  }

  /** Lets at most one dial run. */
  #dialOnce(state: ClientState, dial: () => Promise<Session>): Promise<void> {
    if (this.#state === "closed") return Promise.reject(notConnected("the client was closed"));
    if (this.#conversation !== undefined) return Promise.resolve();
    return this.#dialling ??= this.#open(state, dial).finally(() => this.#dialling = undefined);
  }

  /** Dials, and begins the conversation; when that fails, whoever waits is told. */
  async #open(state: ClientState, dial: () => Promise<Session>): Promise<void> {
    this.#state = state;
    this.#host.clientOpened(this);
    try {
      const session = await dial();
      if (this.#isClosed()) {
        session.close();
        throw notConnected("the client was closed");
      }
      this.#begin(session);
    } catch (error) {
      this.#waiting.rejectAll(notConnected("the remote cannot be reached"));
      if (!this.#isClosed()) {
        this.#state = "idle";
        this.#host.clientClosed(this);
      }
      throw error;
    }
  }

  #begin(session: Session): void {
    this.#state = "open";
    this.#session = session;
    this.#conversation = new Conversation(this.#host, session, {
      remote: this,
      codec: new DnodeCodec(this.#host.limits),
      ids: this.#ids,
      authenticates: this.#options.authenticateRemote ?? false,
      credentials: () => this.#authentication,
      concurrentCallbacks: this.#options.concurrentCallbacks ?? false,
      onClose: (info) => this.#closed(info),
      onTokenExpire: (error) => this.#events.emit("tokenExpire", { error }),
    });
    this.#conversation.start();
    this.#events.emit("connect", { transport: session.transport });
    this.#waiting.resolveAll();
  }

  #closed(info: CloseInfo): void {
    this.#dialler.moveOn();
    this.#identity = this.identity;
    this.#conversation = undefined;
    this.#session = undefined;
    const willRedial = this.#reconnect && !this.#isClosed();
    if (!willRedial) {
      if (!this.#isClosed()) this.#state = "idle";
      this.#host.clientClosed(this);
    }
    this.#events.emit("disconnect", { ...info, willRedial });
    if (!willRedial || this.#isClosed()) return;
    this.#redial()
      .catch((error: unknown) => this.#host.report(`${this.url} is not dialled any more`, error));
  }

  /** Asked anew after each await: the state may have changed meanwhile. */
  #isClosed(): boolean {
    return this.#state === "closed";
  }
}

function notConnected(why: string): KiteError {
  return new KiteError("disconnect", `not connected: ${why}`);
}
