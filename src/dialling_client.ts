import type { Client } from "./client.ts";
import { type CallsOwner, ClientCalls } from "./client_calls.ts";
import { Dialler } from "./dialler.ts";
import type { Callback } from "./dnode/scrub.ts";
import {
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
import { Conversation } from "./rpc/conversation.ts";
import { describeEnd } from "./rpc/disconnected.ts";
import type { ConversationHost } from "./rpc/host.ts";
import { DnodeCodec } from "./rpc/dnode_codec.ts";
import { Events, type Listener } from "./events.ts";
import { createApi } from "./rpc/api.ts";
import type { Api, Contract } from "./rpc/contract_types.ts";
import type { ApiOptions, TellOptions } from "./rpc/remote.ts";
import { NO_OPTIONS } from "./rpc/tell_options.ts";
import type { DialSession } from "./transport/dial.ts";
import type { CloseInfo, Session, TransportName } from "./transport/session.ts";

/** What a client needs from the kite that it belongs to. */
export interface ClientHost extends ConversationHost {
  /** Defaults for every client of the kite. */
  readonly clientDefaults: ClientDefaults;
  /** Connects the clients of the kite. */
  readonly dialSession: DialSession;
  /** Checks the options of a client. */
  readonly checkClientOptions: (options: ClientOptions) => ClientOptions;
  /** Called for each client that connects or begins to dial. */
  clientOpened(client: DiallingClient): void;
  /** Called for each client that is no longer connected or dialling. */
  clientClosed(client: DiallingClient): void;
}

/** The implementation of {@linkcode Client}. */
export class DiallingClient implements Client, CallsOwner {
  readonly #host: ClientHost;
  readonly #options: ClientOptions;
  readonly #events: Events<ClientEvents>;
  readonly #ids = new IdCounter();
  readonly #calls: ClientCalls;
  readonly #dialler: Dialler;
  readonly #lifetime = new AbortController();
  #authentication: Authentication | undefined;
  #reconnect: boolean;
  #state: ClientState = "idle";
  #session: Session | undefined;
  #conversation: Conversation | undefined;
  #identity: KiteIdentity | undefined;
  #dialling: Promise<void> | undefined;
  /** How the latest connection ended; undefined if none has ended yet. */
  #end: CloseInfo | undefined;

  constructor(
    host: ClientHost,
    url: string | URL | readonly string[],
    options: ClientOptions = {},
    hooks: ClientHooks = {},
  ) {
    this.#host = host;
    this.#options = host.checkClientOptions(options);
    const { authentication, identity, reconnect = false, whileDown } = this.#options;
    this.#authentication = authentication;
    this.#identity = identity;
    this.#reconnect = reconnect !== false;
    this.#calls = new ClientCalls(this, {
      timeout: host.timeout,
      waitingCalls: host.limits.waitingCalls,
      whileDown,
      beforeCall: hooks.beforeCall,
    });
    this.#events = new Events((event, error) =>
      host.report(`A listener for "${event}" of a client failed`, error)
    );
    const { limits, clientDefaults, dialSession } = host;
    const backoff = typeof reconnect === "object" ? reconnect : {};
    const { signal: lifetime } = this.#lifetime;
    const dialling = {
      dialSession,
      ...clientDefaults,
      ...this.#options,
      limits,
      backoff,
      lifetime,
    };
    this.#dialler = new Dialler(url, dialling, {
      dialError: (error, attempt) => this.#dialFailed(error, attempt),
      giveUp: (attempts) => this.#events.emit("giveUp", { attempts }),
    });
  }

  get url(): string {
    return this.#dialler.url;
  }

  get state(): ClientState {
    return this.#state;
  }

  get identity(): KiteIdentity | undefined {
    return this.#conversation?.remoteIdentity ?? this.#identity;
  }

  get remoteAddress(): string {
    return this.#session?.remoteAddress ?? "";
  }

  get transport(): TransportName | undefined {
    return this.#session?.transport;
  }

  get authentication(): Authentication | undefined {
    return this.#authentication;
  }

  set authentication(authentication: Authentication | undefined) {
    this.#authentication = authentication;
    if (authentication !== undefined) this.#events.emit("tokenRenew", authentication);
  }

  get load(): Client["load"] {
    const load = this.#conversation?.load ?? { pending: 0, callbacks: 0, running: 0, streams: 0 };
    return { ...load, waiting: this.#calls.waiting };
  }

  onConnect(listener: () => unknown): () => void {
    return this.#events.on("connect", listener);
  }

  onDisconnect(listener: Listener<ClientEvents["disconnect"]>): () => void {
    return this.#events.on("disconnect", listener);
  }

  onDialError(listener: Listener<ClientEvents["dialError"]>): () => void {
    return this.#events.on("dialError", listener);
  }

  onGiveUp(listener: Listener<ClientEvents["giveUp"]>): () => void {
    return this.#events.on("giveUp", listener);
  }

  onTokenExpire(listener: Listener<KiteError>): () => void {
    return this.#events.on("tokenExpire", listener);
  }

  onTokenRenew(listener: Listener<Authentication>): () => void {
    return this.#events.on("tokenRenew", listener);
  }

  async dial(options: DialOptions = {}): Promise<void> {
    const { timeout, signal } = checkDialOptions(options);
    await this.#dialOnce("connecting", () => this.#dialler.dial(timeout, signal));
  }

  async dialForever(options: Pick<DialOptions, "signal"> = {}): Promise<void> {
    const { signal } = checkDialOptions(options);
    this.#reconnect = true;
    await this.#redial(signal);
  }

  tell(method: string, ...args: unknown[]): Promise<unknown>;
  tell<Result>(method: string, ...args: unknown[]): Promise<Result>;
  tell(method: string, ...args: unknown[]): Promise<unknown> {
    return this.#calls.tell(NO_OPTIONS, method, args);
  }

  tellWith(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown>;
  tellWith<Result>(options: TellOptions, method: string, ...args: unknown[]): Promise<Result>;
  tellWith(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown> {
    return this.#calls.tell(options, method, args);
  }

  as<C extends Contract>(contract: C, options: ApiOptions = {}): Api<C> {
    return createApi(this, contract, options);
  }

  release(callback: Callback): boolean {
    return this.#conversation?.release(callback) ?? false;
  }

  async close(): Promise<void> {
    // The events come in the turn in which the connection ends, so the listener has to be there.
    const ended = this.#conversation === undefined
      ? undefined
      : new Promise<void>((resolve) => this.#events.once("disconnect", () => resolve()));
    if (this.#state !== "closed") {
      this.#state = "closed";
      this.#lifetime.abort(this.whyNotConnected());
      this.#calls.rejectAll();
      this.#conversation?.close();
      if (this.#conversation === undefined) this.#host.clientClosed(this);
    }
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get conversation(): Conversation | undefined {
    return this.#conversation;
  }

  get isDialling(): boolean {
    return this.#state === "connecting" || this.#state === "redialling";
  }

  hurry(): void {
    this.#dialler.hurry();
  }

  /** The error of whatever needs a connection while there is none. */
  whyNotConnected(): KiteError {
    const { failure } = this.#dialler;
    const why = this.#isClosed()
      ? "the client was closed"
      : failure?.message ?? (this.#end && describeEnd(this.#end)) ??
        (this.#state === "idle" ? "dial first" : "it is being dialled");
    return new KiteError("disconnect", `Not connected to ${this.url}: ${why}`, { cause: failure });
  }

  #dialFailed(error: KiteError, attempt: number): void {
    // If there was a connection before, the remote is probably restarting.
    const isHopeless = this.#options.whileDown === "try" && this.#end === undefined;
    if (isHopeless && this.#dialler.hasTriedAll) this.#calls.rejectAll();
    this.#events.emit("dialError", { error, attempt });
  }

  #redial(signal?: AbortSignal): Promise<void> {
    return this.#dialOnce("redialling", () => this.#dialler.dialForever(signal));
  }

  /** Dials, unless a dial is running or there is a connection. */
  #dialOnce(state: ClientState, dial: () => Promise<Session>): Promise<void> {
    if (this.#isClosed()) return Promise.reject(this.whyNotConnected());
    if (this.#conversation !== undefined) return Promise.resolve();
    return this.#dialling ??= this.#open(state, dial).finally(() => this.#dialling = undefined);
  }

  /** Dials and starts the conversation. If that fails, the waiting calls fail too. */
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
      this.#calls.rejectAll();
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
      onTokenExpire: (error) => this.#events.emit("tokenExpire", error),
    });
    this.#conversation.start();
    this.#events.emit("connect", undefined);
    this.#calls.resolveAll();
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
      if (!this.#isClosed()) this.#host.report(`Stopped dialling ${this.url}`, error);
    });
  }

  /** A method, since the state may change during each await. */
  #isClosed(): boolean {
    return this.#state === "closed";
  }
}
