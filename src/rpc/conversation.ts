import type { Callback } from "../dnode/scrub.ts";
import type { RemoteValues } from "../dnode/unscrub.ts";
import type { KiteError, KiteErrorType } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import { type Message, sizeOf } from "../transport/message.ts";
import type { CloseInfo, Session, SessionHandler } from "../transport/session.ts";
import { Backlog, type BacklogHost, costOf, TURN_CREDIT } from "./backlog.ts";
import { CallbackQueue } from "./callback_queue.ts";
import type { IdCounter } from "./callback_table.ts";
import { CallsIn } from "./calls_in.ts";
import { CallsOut } from "./calls_out.ts";
import { readError } from "./answer.ts";
import type { Authentication, Incoming, IncomingBroken, IncomingInvoke } from "./codec.ts";
import type { DnodeCodec } from "./dnode_codec.ts";
import { Extensions, offeredExtensions } from "./extensions.ts";
import { disconnected } from "./disconnected.ts";
import type { ConversationHost } from "./host.ts";
import { InFlight } from "./in_flight.ts";
import { MessageSender } from "./message_sender.ts";
import type { RemoteKite, TellOptions } from "./remote.ts";
import type { KiteRequest, RefuseCall, RequestOrigin } from "./request.ts";
import { RequestLives } from "./request_life.ts";

/** The sizes of the tables of one conversation. */
export interface ConversationLoad {
  /** Calls of this side that wait for an answer. */
  readonly pending: number;
  /** Functions that the remote may call. */
  readonly callbacks: number;
  /** Running requests of the remote. */
  readonly running: number;
  /** Open streams, in both directions. */
  readonly streams: number;
}

/** Options of a {@linkcode Conversation}. */
export interface ConversationOptions {
  /** The remote as users see it. */
  readonly remote: RemoteKite;
  readonly codec: DnodeCodec;
  /**
   * Creates response and callback ids. A client that redials keeps it for the next conversation.
   */
  readonly ids: IdCounter;
  /** Whether requests of the remote must authenticate (docs/protocol.md §5). */
  readonly authenticates: boolean;
  /** Creates the error of calls of methods without authentication, if the remote must not make any. */
  readonly refuseUnauthenticated?: RefuseCall | undefined;
  /** Returns the authentication to send; called before each request. */
  readonly credentials: () => Authentication | undefined;
  /**
   * Start callbacks before earlier asynchronous ones have finished.
   *
   * @default false
   */
  readonly concurrentCallbacks?: boolean;
  /**
   * Offer compact messages to the remote, if the kite has a codec for them.
   *
   * @default true
   */
  readonly compact?: boolean;
  /** Called when the session has ended. */
  readonly onClose: (info: CloseInfo) => void;
  /** Called with the first request of the remote. */
  readonly onFirstRequest?: (request: KiteRequest) => void;
  /** The remote's URL or address, for the errors of calls that fail. */
  readonly remoteUrl: () => string;
  /** Called when the remote answers that this side's token has expired. */
  readonly onTokenExpire?: (error: KiteError) => void;
}

/**
 * The calls, callbacks and streams of one session, in both directions. Both sides of a connection
 * use it. Its parts are created lazily, since many sessions stay idle.
 */
export class Conversation implements SessionHandler, RequestOrigin, BacklogHost {
  readonly remote: RemoteKite;
  readonly authenticates: boolean;
  readonly refuseUnauthenticated: RefuseCall | undefined;
  readonly #host: ConversationHost;
  readonly #session: Session;
  readonly #options: ConversationOptions;
  readonly #sender: MessageSender;
  #in: CallsIn | undefined;
  #out: CallsOut | undefined;
  #queue: CallbackQueue | undefined;
  #lives: RequestLives | undefined;
  #inFlight: InFlight | undefined;
  readonly #offersCompact: boolean;
  /** The work that is still allowed in this turn of the event loop, see {@linkcode costOf}. */
  #credit = TURN_CREDIT;
  /** Messages that wait for a later turn; undefined while none wait. */
  #backlog: Backlog | undefined;
  /** Consecutive messages that could not be read. */
  #broken = 0;

  constructor(host: ConversationHost, session: Session, options: ConversationOptions) {
    this.#host = host;
    this.#session = session;
    this.#options = options;
    this.remote = options.remote;
    this.authenticates = options.authenticates;
    this.refuseUnauthenticated = options.refuseUnauthenticated;
    this.#offersCompact = host.newCompactCodec !== undefined && (options.compact ?? true);
    this.#sender = new MessageSender(
      session,
      options.codec,
      host.newCompactCodec,
      new Extensions(offeredExtensions(this.#offersCompact)),
      options.ids,
      host.limits,
      (message) => host.report(message),
      () => this.#flight(),
    );
  }

  /** Starts receiving messages. Call it once. */
  start(): void {
    this.#session.attach(this);
  }

  /** The kite that serves the remote's requests. */
  get localKite(): KiteIdentity {
    return this.#host.identity;
  }

  /** The identity that the remote sent with its latest call. */
  get remoteIdentity(): KiteIdentity | undefined {
    return this.#in?.identity;
  }

  /** The requests of the session whose signal was used. */
  get lives(): RequestLives {
    if (this.#lives === undefined) {
      this.#lives = new RequestLives(this.#host.limits.callbacksPerSession);
      if (!this.#sender.isOpen) this.#lives.end();
    }
    return this.#lives;
  }

  /** True after the first message in either direction. */
  get hadMessage(): boolean {
    return this.#sender.hadMessage;
  }

  /** Bytes (estimated) that were sent and that the network has not accepted yet. */
  get unsentBytes(): number {
    return this.#session.bufferedAmount;
  }

  /** The sizes of its tables, to detect leaks. */
  get load(): ConversationLoad {
    return {
      pending: this.#out?.size ?? 0,
      callbacks: this.#sender.callbacks,
      streams: this.#sender.openStreams,
      running: this.#in?.size ?? 0,
    };
  }

  /** Calls a method of the remote, see {@linkcode RemoteKite.tellWith}. */
  tell(options: TellOptions, method: string, args: readonly unknown[]): Promise<unknown> {
    this.#out ??= new CallsOut(this.#host, this.#sender, this.#options);
    return this.#out.tell(options, method, args);
  }

  /** Releases a function, see {@linkcode RemoteKite.release}. */
  release(callback: Callback): boolean {
    return this.#sender.release(callback);
  }

  /** Ends the session. */
  close(code?: number, reason?: string): void {
    this.#backlog?.clear();
    this.#session.close(code, reason);
  }

  /** Resolves when no request of the remote is running, or after `deadline` milliseconds. */
  idle(deadline: number): Promise<void> {
    return this.#in?.idle(deadline) ?? Promise.resolve();
  }

  onMessage(message: Message): void {
    this.#sender.hadMessage = true;
    const { nesting } = this.#host.limits;
    const size = typeof message === "string"
      ? message.length
      : sizeOf(message, nesting - (this.#sender.compact?.levelsSaved(message) ?? 0));
    if (size < 0) {
      const reason = `message nested deeper than ${nesting} (limit: nesting)`;
      return this.#refuse(this.#refused(message, "limitError", reason));
    }
    if (this.#backlog !== undefined) return this.#wait(this.#backlog, message, size);
    if ((this.#credit -= costOf(size)) <= 0) {
      this.#backlog = new Backlog(this, this.#host.limits, this.#flight());
    }
    this.handle(message, size);
  }

  /** Handles a message in its turn, see {@linkcode Backlog}. */
  handle(message: Message, size: number): void {
    const incoming = typeof message === "string"
      ? this.#sender.plain.decode(message, this.#remoteValues)
      : this.#decodeCompact(message);
    if (incoming.kind !== "broken") this.#broken = 0;
    switch (incoming.kind) {
      case "request":
        return this.#calls().serve(incoming, size);
      case "result":
        return this.#out?.succeed(incoming.id, incoming.result);
      case "error":
        return this.#out?.refuse(incoming.id, readError(incoming.error));
      case "invoke":
        return this.#invoked(incoming, typeof message === "string", size);
      case "can":
        this.#sender.learn(incoming.names);
        return this.#out?.acquainted();
      case "cancel":
        return this.#in?.cancel(incoming.id);
      case "release":
        return this.#sender.givenBack(incoming.ids);
      case "revoke":
        return this.#sender.remoteFunctions.revokedByRemote(incoming.ids);
      case "broken":
        return this.#refuse(incoming);
    }
  }

  /** Called when no messages wait any more, see {@linkcode Backlog}. */
  done(end: CloseInfo | undefined): void {
    this.#backlog = undefined;
    this.#credit = TURN_CREDIT;
    if (end !== undefined) this.onClose(end);
  }

  onClose(info: CloseInfo): void {
    if (this.#backlog !== undefined) return this.#backlog.end(info);
    if (!this.#sender.isOpen) return;
    this.#sender.end(() => disconnected(info));
    this.#out?.end(info);
    this.#queue?.clear();
    this.#lives?.end();
    this.#in?.end();
    this.#options.onClose(info);
  }

  #calls(): CallsIn {
    return this.#in ??= new CallsIn(
      this.#host,
      this.#sender,
      this.#flight(),
      this,
      this.#options.onFirstRequest,
    );
  }

  #flight(): InFlight {
    return this.#inFlight ??= new InFlight(this.#host.limits, this.#host.inFlight);
  }

  #decodeCompact(message: unknown[]): Incoming {
    const codec = this.#offersCompact ? this.#sender.compact : undefined;
    return codec?.decode(message, this.#remoteValues) ??
      this.#refused(message, "argumentError", "compact messages are disabled");
  }

  /** Returns which call or request a message belongs to that cannot be read. */
  #refused(message: Message, type: KiteErrorType, reason: string): IncomingBroken {
    return this.#sender.compact?.refused(message, type, reason) ?? { kind: "broken", type, reason };
  }

  #wait(backlog: Backlog, message: Message, size: number): void {
    if (backlog.add(message, size)) return;
    this.close(3008, "too many messages wait (limit: queuedMessages, inFlightBytes)");
  }

  /** Handles an answer or a callback, by its id. Unknown ids are ignored. */
  #invoked({ id, args }: IncomingInvoke, mayAnswer: boolean, bytes: number): void {
    if (mayAnswer && this.#out?.settle(id, args)) return;
    const callback = this.#sender.callback(id);
    if (callback === undefined || this.#sender.invokeStream(callback, args, bytes)) return;
    this.#queue ??= new CallbackQueue({
      limit: this.#host.limits.queuedCallbacks,
      inFlight: this.#flight(),
      concurrent: this.#options.concurrentCallbacks ?? false,
      onError: this.#reportCallback,
    });
    if (this.#queue.invoke(callback, args, bytes)) return;
    this.close(3008, "too many callbacks wait (limit: queuedCallbacks, inFlightBytes)");
  }

  /** Handles a message that cannot be read: answers it, or fails the call that waits for it. */
  #refuse({ type, reason, responseId, callId }: IncomingBroken): void {
    const wrong = type === "limitError" ? type : "invalidResponse";
    if (callId !== undefined && this.#out?.fail(callId, wrong, reason)) return;
    if (responseId === undefined) return this.#skip(reason);
    this.#calls().answerError(responseId, { type, message: reason }, "");
  }

  /** Logs a message that cannot be read and belongs to no call. */
  #skip(reason: string): void {
    const { brokenMessages } = this.#host.limits;
    this.#host.report(`Cannot read a message: ${reason}`);
    if (++this.#broken <= brokenMessages) return;
    this.close(3008, `${this.#broken} messages in a row could not be read (limit: brokenMessages)`);
  }

  readonly #reportCallback = (error: unknown): void => {
    this.#host.report("a callback threw", error);
  };

  /** Creates the local functions and streams that represent those of the remote. */
  readonly #remoteValues: RemoteValues = {
    callback: (id) => this.#sender.remoteFunctions.make(id),
    stream: (pull, cancel) => this.#sender.streams.receive(pull, cancel),
  };
}
