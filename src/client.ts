import { Dialler } from "./dialler.ts";
import type { Callback } from "./dnode/scrub.ts";
import {
  checkClientOptions,
  checkDialOptions,
  type ClientDefaults,
  type ClientEvents,
  type ClientHooks,
  type ClientOptions,
  type ClientState,
  type DialOptions,
} from "./client_options.ts";
import { KiteError } from "./protocol/errors.ts";
import type { KiteIdentity } from "./protocol/identity.ts";
import { IdCounter } from "./rpc/callback_table.ts";
import type { Authentication } from "./rpc/codec.ts";
import { Conversation, type ConversationLoad } from "./rpc/conversation.ts";
import { failedCall } from "./rpc/call_failure.ts";
import { type ConversationHost, describeEnd } from "./rpc/host.ts";
import { DnodeCodec } from "./rpc/dnode_codec.ts";
import { Events, type Listener } from "./events.ts";
import { createApi } from "./rpc/api.ts";
import type { Api, Contract } from "./rpc/contract_types.ts";
import type { ApiOptions, RemoteKite, TellOptions } from "./rpc/remote.ts";
import { checkTell, NO_OPTIONS } from "./rpc/tell_options.ts";
import { WaitingCalls } from "./waiting_calls.ts";
import type { CloseInfo, Session, TransportName } from "./transport/session.ts";

const NO_LOAD: ConversationLoad = { pending: 0, callbacks: 0, running: 0, streams: 0 };

/** What a client needs from the kite that it belongs to. */
export interface ClientHost extends ConversationHost {
  /** Defaults for every client of the kite. */
  readonly clientDefaults: ClientDefaults;
  /** Told of each client that opens, to close it with the kite. */
  clientOpened(client: Client): void;
  /** Told of each client that closes. */
  clientClosed(client: Client): void;
}

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
  /** How the latest connection ended; undefined while none has. */
  #end: CloseInfo | undefined;

  /** Made by {@linkcode Kite.newClient}. */
  constructor(
    host: ClientHost,
    url: string | URL | readonly string[],
    options: ClientOptions = {},
    hooks: ClientHooks = {},
  ) {
    this.#host = host;
    this.#beforeCall = hooks.beforeCall;
    this.#options = checkClientOptions(options);
    const { authentication, identity, reconnect = false } = this.#options;
    this.#authentication = authentication;
    this.#identity = identity;
    this.#reconnect = reconnect !== false;
    this.#waiting = new WaitingCalls(host.limits.waitingCalls, () => this.whyNotConnected());
    this.#events = new Events((event, error) =>
      host.report(`a listener of the client's "${event}" event failed`, error)
    );
    this.#dialler = new Dialler(url, {
      ...host.clientDefaults,
      ...this.#options,
      limits: host.limits,
      backoff: typeof reconnect === "object" ? reconnect : {},
      lifetime: this.#lifetime.signal,
    }, {
      dialError: (error, attempt) => this.#dialFailed(error, attempt),
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
  get load(): {
    pending: number;
    callbacks: number;
    running: number;
    streams: number;
    waiting: number;
  } {
    const load = this.#conversation?.load ?? NO_LOAD;
    return { ...load, waiting: this.#waiting.size };
  }

  /**
   * Adds a listener.
   *
   * @returns a function that removes it
   */
  on<Name extends keyof ClientEvents>(
    name: Name,
    listener: Listener<ClientEvents[Name]>,
  ): () => void {
    return this.#events.on(name, listener);
  }

  /** Adds a listener for each new connection, see {@linkcode Client.on}. */
  onConnect(listener: () => unknown): () => void {
    return this.on("connect", listener);
  }

  onDisconnect(listener: () => unknown): () => void {
    return this.on("disconnect", listener);
  }

  /** Adds a listener for the answer that our token is expired, see {@linkcode Client.on}. */
  onTokenExpire(listener: () => unknown): () => void {
    return this.on("tokenExpire", listener);
  }

  /** Adds a listener for each new `authentication`, see {@linkcode Client.on}. */
  onTokenRenew(listener: (token: Authentication) => unknown): () => void {
    return this.on("tokenRenew", ({ authentication }) => listener(authentication));
  }

  /**
   * Connects, with one try. Does nothing when there is a connection.
   *
   * @throws {KiteError} `sendError` when the remote cannot be reached, `timeout`, `aborted`,
   * `configError` for a URL or option that cannot be used
   */
  async dial(options: DialOptions = {}): Promise<void> {
    const { timeout, signal } = checkDialOptions(options);
    await this.#dialOnce("connecting", () => this.#dialler.dial(timeout, signal));
  }

  /**
   * Connects, trying again until it succeeds, and again whenever the connection goes.
   *
   * @throws {KiteError} `aborted`; `disconnect` when closed meanwhile or after `maxAttempts`
   */
  async dialForever(options: Pick<DialOptions, "signal"> = {}): Promise<void> {
    const { signal } = checkDialOptions(options);
    this.#reconnect = true;
    await this.#redial(signal);
  }

  tell(method: string, ...args: unknown[]): Promise<unknown>;
  tell<Result>(method: string, ...args: unknown[]): Promise<Result>;
  tell(method: string, ...args: unknown[]): Promise<unknown> {
    return this.#tell(NO_OPTIONS, method, args);
  }

  tellWith(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown>;
  tellWith<Result>(options: TellOptions, method: string, ...args: unknown[]): Promise<Result>;
  tellWith(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown> {
    return this.#tell(options, method, args);
  }

  as<C extends Contract>(contract: C, options: ApiOptions = {}): Api<C> {
    return createApi(this, contract, options);
  }

  release(callback: Callback): boolean {
    return this.#conversation?.release(callback) ?? false;
  }

  /** Ends the connection for good: running calls fail with `disconnect`. Idempotent. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#lifetime.abort(this.whyNotConnected());
    this.#waiting.rejectAll();
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
    if (options.idempotent === true) return this.#tellRepeatedly(options, method, args);
    if (this.#conversation === undefined) return this.#tellLater(options, method, args);
    const due = this.#beforeCall?.();
    return due === undefined
      ? this.#conversation.tell(options, method, args)
      : this.#tellLater(options, method, args, due);
  }

  /** Makes a call once there is a connection, or once `due` has settled. */
  async #tellLater(
    options: TellOptions,
    method: string,
    args: readonly unknown[],
    due?: Promise<void>,
  ): Promise<unknown> {
    const isDialling = this.#state === "connecting" || this.#state === "redialling";
    const canWait = due !== undefined || (isDialling && this.#options.whileDown !== "fail");
    const wrong = checkTell(options, method) ?? (canWait ? undefined : this.whyNotConnected());
    if (wrong !== undefined) return await this.#fail(wrong, method);
    if (due === undefined) this.#dialler.hurry();
    else due.finally(() => this.#waiting.resolveAll()).catch(() => {});
    let timeout = options.timeout ?? this.#host.timeout;
    try {
      timeout = await this.#waiting.wait(method, timeout, options.signal);
    } catch (error) {
      return await this.#fail(error as KiteError, method);
    }
    return await this.#tell({ ...options, timeout }, method, args);
  }

  /** Makes a call again after each lost connection, as long as its timeout allows. */
  async #tellRepeatedly(
    options: TellOptions,
    method: string,
    args: readonly unknown[],
  ): Promise<unknown> {
    const { timeout = this.#host.timeout } = options;
    const deadline = performance.now() + timeout;
    for (let left = timeout;; left = timeout > 0 ? Math.max(1, deadline - performance.now()) : 0) {
      try {
        return await this.#tell({ ...options, idempotent: false, timeout: left }, method, args);
      } catch (error) {
        const mayRepeat = error instanceof KiteError && error.type === "disconnect" &&
          this.#state === "redialling" && this.#options.whileDown !== "fail";
        if (!mayRepeat) throw error;
      }
    }
  }

  #fail(error: KiteError, method: string): Promise<never> {
    return failedCall(error, { method: String(method), url: this.url });
  }

  /** The error for what needs a connection while there is none. */
  whyNotConnected(): KiteError {
    const { failure } = this.#dialler;
    const why = this.#isClosed()
      ? "the client was closed"
      : failure?.message ?? (this.#end && describeEnd(this.#end)) ??
        (this.#state === "idle" ? "dial first" : "it is being dialled");
    return new KiteError("disconnect", `Not connected to ${this.url}: ${why}`, { cause: failure });
  }

  #dialFailed(error: KiteError, attempt: number): void {
    // After a first connection the remote counts as restarting.
    const isHopeless = this.#options.whileDown === "try" && this.#end === undefined;
    if (isHopeless && this.#dialler.hasTriedAll) this.#waiting.rejectAll();
    this.#events.emit("dialError", { error, attempt });
  }

  #redial(signal?: AbortSignal): Promise<void> {
    return this.#dialOnce("redialling", () => this.#dialler.dialForever(signal));
  }

  /** Lets at most one dial run. */
  #dialOnce(state: ClientState, dial: () => Promise<Session>): Promise<void> {
    if (this.#isClosed()) return Promise.reject(this.whyNotConnected());
    if (this.#conversation !== undefined) return Promise.resolve();
    return this.#dialling ??= this.#open(state, dial).finally(() => this.#dialling = undefined);
  }

  /** Dials, and begins the conversation; calls that wait fail when that fails. */
  async #open(state: ClientState, dial: () => Promise<Session>): Promise<void> {
    this.#state = state;
    this.#host.clientOpened(this);
    try {
      const session = await dial();
      if (this.#isClosed()) {
        session.close();
        throw this.whyNotConnected();
      }
      this.#begin(session);
    } catch (error) {
      this.#waiting.rejectAll();
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
      remoteUrl: () => this.url,
      concurrentCallbacks: this.#options.concurrentCallbacks ?? false,
      compact: this.#options.compact ?? this.#host.compact,
      onClose: (info) => this.#closed(info),
      onTokenExpire: (error) => this.#events.emit("tokenExpire", { error }),
    });
    this.#conversation.start();
    this.#events.emit("connect", { transport: session.transport });
    this.#waiting.resolveAll();
  }

  #closed(info: CloseInfo): void {
    this.#end = info;
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
    this.#redial().catch((error: unknown) => {
      if (!this.#isClosed()) this.#host.report(`${this.url} is not dialled any more`, error);
    });
  }

  /** A method, since the state may change during each await. */
  #isClosed(): boolean {
    return this.#state === "closed";
  }
}
