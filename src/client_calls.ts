import type { ClientHooks, ClientOptions } from "./client_options.ts";
import { containsStream } from "./dnode/stream.ts";
import { KiteError } from "./protocol/errors.ts";
import { failedCall } from "./rpc/call_failure.ts";
import type { Conversation } from "./rpc/conversation.ts";
import type { TellOptions } from "./rpc/remote.ts";
import { checkTell, NO_OPTIONS, resolveWithin } from "./rpc/tell_options.ts";
import { WaitingCalls } from "./waiting_calls.ts";

/** What the calls of a client need from it. */
export interface CallsOwner {
  readonly url: string;
  readonly conversation: Conversation | undefined;
  /** True while it dials or redials, so that a call can wait for the connection. */
  readonly isDialling: boolean;
  /** The error of whatever needs a connection while there is none. */
  whyNotConnected(): KiteError;
  /** Dials now instead of waiting for the next attempt. */
  hurry(): void;
}

/** Options of {@linkcode ClientCalls}. */
export interface ClientCallsOptions {
  /** The default timeout of a call, milliseconds. */
  readonly timeout: number;
  /** Maximum number of calls that wait for a connection. */
  readonly waitingCalls: number;
  readonly whileDown: ClientOptions["whileDown"];
  readonly beforeCall: ClientHooks["beforeCall"];
}

/** The calls of a client. They wait for a connection, and idempotent ones are repeated after a loss. */
export class ClientCalls {
  readonly #owner: CallsOwner;
  readonly #options: ClientCallsOptions;
  readonly #waiting: WaitingCalls;

  constructor(owner: CallsOwner, options: ClientCallsOptions) {
    this.#owner = owner;
    this.#options = options;
    this.#waiting = new WaitingCalls(options.waitingCalls, () => owner.whyNotConnected());
  }

  /** The number of calls that wait for a connection. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Makes the calls that wait. */
  resolveAll(): void {
    this.#waiting.resolveAll();
  }

  /** Rejects the calls that wait. */
  rejectAll(): void {
    this.#waiting.rejectAll();
  }

  /** Makes a call, or lets it wait for a connection. */
  tell(options: TellOptions, method: string, args: readonly unknown[]): Promise<unknown> {
    if (options === NO_OPTIONS) return this.#tellOnce(options, method, args);
    // Callers without types may pass anything.
    const wrong = checkTell(options, method);
    if (wrong !== undefined) return failedCall(wrong, { method, url: this.#owner.url });
    const resolved = resolveWithin(options, this.#options.timeout);
    return resolved.idempotent === true
      ? this.#tellRepeatedly(resolved, method, args)
      : this.#tellOnce(resolved, method, args);
  }

  #tellOnce(options: TellOptions, method: string, args: readonly unknown[]): Promise<unknown> {
    const { conversation } = this.#owner;
    if (conversation === undefined) return this.#tellLater(options, method, args);
    const due = this.#options.beforeCall?.();
    return due === undefined
      ? conversation.tell(options, method, args)
      : this.#tellLater(options, method, args, due);
  }

  /** Makes a call once there is a connection, or once `due` has settled. */
  async #tellLater(
    options: TellOptions,
    method: string,
    args: readonly unknown[],
    due?: Promise<void>,
  ): Promise<unknown> {
    const owner = this.#owner;
    const canWait = due !== undefined || (owner.isDialling && this.#options.whileDown !== "fail");
    const wrong = checkTell(options, method) ?? (canWait ? undefined : owner.whyNotConnected());
    if (wrong !== undefined) return await failedCall(wrong, { method, url: owner.url });
    if (due === undefined) owner.hurry();
    else due.finally(() => this.#waiting.resolveAll()).catch(() => {});
    let timeout = options.timeout ?? this.#options.timeout;
    try {
      timeout = await this.#waiting.wait(method, timeout, options.signal);
    } catch (error) {
      return await failedCall(error as KiteError, { method, url: owner.url });
    }
    return await this.#tellOnce({ ...options, timeout }, method, args);
  }

  /** Makes a call, and repeats it after each lost connection until its timeout ends. */
  async #tellRepeatedly(
    options: TellOptions,
    method: string,
    args: readonly unknown[],
  ): Promise<unknown> {
    const { timeout = this.#options.timeout } = options;
    const deadline = performance.now() + timeout;
    for (let left = timeout;; left = timeout > 0 ? Math.max(1, deadline - performance.now()) : 0) {
      try {
        return await this.#tellOnce({ ...options, timeout: left }, method, args);
      } catch (error) {
        const mayRepeat = error instanceof KiteError && error.type === "disconnect" &&
          this.#owner.isDialling && this.#options.whileDown !== "fail";
        // The items of a stream that have been sent are gone.
        if (!mayRepeat || containsStream(args)) throw error;
      }
    }
  }
}
