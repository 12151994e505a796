import type { Callback } from "../../src/dnode/scrub.ts";
import type { KiteIdentity } from "../../src/protocol/identity.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/protocol/limits.ts";
import { IdCounter } from "../../src/rpc/callback_table.ts";
import { Conversation } from "../../src/rpc/conversation.ts";
import type { ConversationHost } from "../../src/rpc/host.ts";
import type { Incoming } from "../../src/rpc/codec.ts";
import { DnodeCodec } from "../../src/rpc/dnode_codec.ts";
import { newCompactCodec } from "../../src/rpc/compact_codec.ts";
import { createApi } from "../../src/rpc/api.ts";
import type { Api, Contract } from "../../src/rpc/contract_types.ts";
import type { ApiOptions, RemoteKite, TellOptions } from "../../src/rpc/remote.ts";
import type { IncomingCall } from "../../src/rpc/request.ts";
import { memorySessions } from "../../src/testing/memory_session.ts";
import { readMessage } from "../../src/testing/read_message.ts";
import type { CloseInfo, Session, SessionHandler } from "../../src/transport/session.ts";

/** A session without a peer: a test reads the sent messages, and injects received ones. */
export class PipeSession implements Session {
  readonly transport = "WebSocket";
  readonly remoteAddress = "pipe:0";
  readonly bufferedAmount = 0;
  /** What was sent. */
  readonly sent: string[] = [];
  isOpen = true;
  #handler: SessionHandler | undefined;

  attach(handler: SessionHandler): void {
    this.#handler = handler;
  }

  send(message: string): void {
    if (this.isOpen) this.sent.push(message);
  }

  /** A message from the other end. */
  hear(message: string): void {
    if (this.isOpen) this.#handler?.onMessage(readMessage(message));
  }

  close(code = 3000, reason = "Go away!"): void {
    this.end({ code, reason });
  }

  /** The end of the session. */
  end(info: CloseInfo): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    queueMicrotask(() => this.#handler?.onClose(info));
  }
}

export const IDENTITY: KiteIdentity = Object.freeze({
  username: "user",
  environment: "test",
  name: "kite",
  version: "1.0.0",
  region: "here",
  hostname: "host",
  id: "6a1c7a6e-3b5f-4d1c-9c2e-0d1f6b7a8c9d",
});

/** How {@linkcode converse} differs from plain. */
export interface SideOptions {
  readonly serve?: (request: IncomingCall) => unknown;
  readonly limits?: Partial<Limits>;
  readonly timeout?: number;
  readonly concurrentCallbacks?: boolean;
  readonly codec?: DnodeCodec;
  readonly compact?: boolean;
}

/** One side of a conversation, with what it reported. */
export class Side implements RemoteKite {
  readonly conversation: Conversation;
  readonly reports: string[] = [];
  readonly ends: CloseInfo[] = [];
  readonly session: Session;
  readonly remoteAddress = "";

  constructor(session: Session, options: SideOptions = {}) {
    this.session = session;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const host: ConversationHost = {
      identity: IDENTITY,
      limits,
      timeout: options.timeout ?? 5_000,
      serve: options.serve ?? (() => null),
      compact: options.compact ?? true,
      newCompactCodec,
      inFlight: { bytes: 0 },
      callLog: {
        isVerbose: false,
        ended: () => {},
        failed: (request, error, isAnswered) => {
          if (!isAnswered) this.reports.push(`${request.method}: ${error}`);
        },
      },
      report: (what, error) =>
        void this.reports.push(error === undefined ? what : `${what}: ${error}`),
    };
    this.conversation = new Conversation(host, session, {
      remote: this,
      codec: options.codec ?? new DnodeCodec(limits),
      ids: new IdCounter(),
      authenticates: false,
      credentials: () => undefined,
      remoteUrl: () => "memory",
      concurrentCallbacks: options.concurrentCallbacks ?? false,
      compact: host.compact,
      onClose: (info) => void this.ends.push(info),
    });
    this.conversation.start();
  }

  get identity(): KiteIdentity | undefined {
    return this.conversation.remoteIdentity;
  }

  tell<Result = unknown>(method: string, ...args: unknown[]): Promise<Result> {
    return this.tellWith({}, method, ...args);
  }

  tellWith<Result = unknown>(
    options: TellOptions,
    method: string,
    ...args: unknown[]
  ): Promise<Result> {
    return this.conversation.tell(options, method, args) as Promise<Result>;
  }

  as<C extends Contract>(contract: C, options: ApiOptions = {}): Api<C> {
    return createApi(this, contract, options);
  }

  release(callback: Callback): boolean {
    return this.conversation.release(callback);
  }

  onDisconnect(): () => void {
    return () => {};
  }

  close(code?: number, reason?: string): Promise<void> {
    this.conversation.close(code, reason);
    return Promise.resolve();
  }
}

/** Two sides that talk to each other within this process. */
export function converse(caller: SideOptions = {}, served: SideOptions = {}): [Side, Side] {
  const [left, right] = memorySessions();
  return [new Side(left, caller), new Side(right, served)];
}

/** Lets every microtask and every timer that is due run. */
export async function turn(): Promise<void> {
  // On a busy machine a timer is due before the messages of a few immediates have arrived.
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** The message, if it is of that kind. */
export function ofKind<Kind extends Incoming["kind"]>(
  kind: Kind,
  incoming: Incoming,
): Extract<Incoming, { kind: Kind }> {
  if (incoming.kind === kind) return incoming as Extract<Incoming, { kind: Kind }>;
  throw new Error(`${kind} was expected, not ${JSON.stringify(incoming)}`);
}
