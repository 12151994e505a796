import type { Callback } from "../dnode/scrub.ts";
import { KiteError } from "../protocol/errors.ts";
import { afterTurn } from "../runtime/turn.ts";

/**
 * A function of a remote. Calling it sends a message and returns nothing. Disposing it tells the
 * remote that it is no longer needed, so that the remote can remove it. After that, calls throw.
 *
 * @throws {KiteError} `released` after it was disposed here or released by the remote;
 * `limitError`;
 * `argumentError` for an argument that JSON cannot represent
 */
export type RemoteFunction = Callback & Disposable;

/** The parts of a session that {@linkcode RemoteFunctions} use. */
export interface RemoteFunctionsHost {
  /** True if the remote supports messages about released functions. */
  tellsReleases(): boolean;
  /** Calls a function of the remote. */
  invoke(id: number, args: readonly unknown[]): void;
  /** Tells the remote that this side no longer needs functions. */
  sendReleases(ids: readonly number[]): void;
  /** Tells the remote that functions of this side can no longer be called. */
  sendRevocations(ids: readonly number[]): void;
}

/** The local functions for one id: one for each time that the id arrived. */
interface Held {
  count: number;
  isRevoked: boolean;
}

/** Maximum number of ids in one message. */
const IDS_PER_MESSAGE = 4_096;

/**
 * The functions of the remote that this side can call, and the messages by which both sides release
 * functions. Ids are collected, and sent once per turn of the event loop.
 */
export class RemoteFunctions {
  readonly #host: RemoteFunctionsHost;
  readonly #held = new Map<number, Held>();
  /** Releases functions that were garbage-collected without being disposed. */
  #dropped: FinalizationRegistry<number> | undefined;
  #released: number[] = [];
  #revoked: number[] = [];
  #isScheduled = false;

  constructor(host: RemoteFunctionsHost) {
    this.#host = host;
  }

  /** Creates a function that calls callback `id` of the remote. */
  make(id: number): RemoteFunction {
    const isTold = this.#host.tellsReleases();
    const held = isTold ? this.#hold(id) : undefined;
    let isDisposed = false;
    const invoke = (...args: unknown[]): void => {
      if (isDisposed || held?.isRevoked) throw released(isDisposed);
      this.#host.invoke(id, args);
    };
    const dispose = (): void => {
      if (isDisposed) return;
      isDisposed = true;
      if (isTold) this.#dropped?.unregister(call);
      this.#release(id);
    };
    // Assigned, since `Object.defineProperty` takes 20 times as long.
    const call = invoke as Callback as RemoteFunction;
    call[Symbol.dispose] = dispose;
    if (isTold) {
      this.#dropped ??= new FinalizationRegistry((dropped) => this.#release(dropped));
      this.#dropped.register(call, id, call);
    }
    return call;
  }

  /** Handles that the remote released functions of its own: calling them throws from now on. */
  revokedByRemote(ids: readonly number[]): void {
    for (const id of ids) {
      const held = this.#held.get(id);
      if (held !== undefined) held.isRevoked = true;
    }
  }

  /** Tells the remote that functions of this side can no longer be called. */
  revoke(ids: readonly number[]): void {
    if (!this.#host.tellsReleases()) return;
    for (const id of ids) this.#revoked.push(id);
    this.#schedule();
  }

  #hold(id: number): Held {
    let held = this.#held.get(id);
    if (held === undefined) this.#held.set(id, held = { count: 0, isRevoked: false });
    held.count++;
    return held;
  }

  #release(id: number): void {
    const held = this.#held.get(id);
    if (held !== undefined && --held.count === 0) this.#held.delete(id);
    if (held?.isRevoked || !this.#host.tellsReleases()) return;
    this.#released.push(id);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    afterTurn(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    const released = this.#released;
    const revoked = this.#revoked;
    this.#released = [];
    this.#revoked = [];
    if (!this.#host.tellsReleases()) return;
    for (let i = 0; i < released.length; i += IDS_PER_MESSAGE) {
      this.#host.sendReleases(released.slice(i, i + IDS_PER_MESSAGE));
    }
    for (let i = 0; i < revoked.length; i += IDS_PER_MESSAGE) {
      this.#host.sendRevocations(revoked.slice(i, i + IDS_PER_MESSAGE));
    }
  };
}

function released(isDisposed: boolean): KiteError {
  const why = isDisposed ? "it was disposed" : "the remote took it back";
  return new KiteError("released", `Cannot call the remote's function: ${why}`);
}
