import { formatIdentity } from "../../src/protocol/identity.ts";
import { endOf, type EtcdClient } from "./etcd_client.ts";
import type { EtcdKeys } from "./etcd_keys.ts";
import {
  type EtcdChanges,
  type EtcdEntry,
  EtcdFailure,
  type EtcdMember,
  type EtcdWatch,
} from "./etcd_member.ts";
import { bounded, storageError } from "./failure.ts";
import type { RegistrationIndex } from "./registration_index.ts";
import { Repeater } from "./repeater.ts";
import type { Registration } from "./storage.ts";
import type { WatchHub } from "./watch_hub.ts";
import type { Feed } from "./watch_source.ts";

/** A registration, and the ID of the lease attached to its keys. */
export interface LeasedRegistration extends Registration {
  readonly lease: string;
}

/** The options of {@linkcode EtcdFeed}. */
export interface EtcdFeedOptions {
  /** Milliseconds between two checks that the stream of changes is alive. */
  readonly checkInterval: number;
  readonly onError: (error: unknown) => void;
}

/** The stream of changes from one member. */
interface Stream {
  readonly member: EtcdMember;
  watch: EtcdWatch | undefined;
  /** True between its first message and its end. */
  isOpen: boolean;
  hasEnded: boolean;
}

/** Milliseconds between the loss of a stream and the next attempt to open one. */
const RESTART_PAUSE = 50;

/** Attempts to open a stream before the feed reports an error. */
const OPEN_ATTEMPTS = 5;

/** Milliseconds by which opening a stream times out before the call that opens it. */
const MARGIN = 20;

const WHAT = "watch the registrations";

/**
 * Keeps a hub in sync with the registrations in etcd: reads all of them at one revision, then receives
 * the changes after it. A stream that ended or was silent for too long is replaced by one that
 * continues after the last received change. If etcd has compacted those changes, everything is reread.
 */
export class EtcdFeed implements Feed {
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  readonly #known: RegistrationIndex<LeasedRegistration>;
  readonly #hub: WatchHub<LeasedRegistration>;
  readonly #options: EtcdFeedOptions;
  readonly #checker: Repeater;
  /** The revision up to which all changes were received; 0 before the first read. */
  #revision = 0;
  /** The revision of the last change made by this storage object. */
  #ownRevision = 0;
  #current: Stream | undefined;
  #starting: Promise<void> | undefined;
  #restart: ReturnType<typeof setTimeout> | undefined;
  #hasAnswered = false;
  #waiting: { readonly revision: number; readonly resolve: () => void }[] = [];

  constructor(
    client: EtcdClient,
    keys: EtcdKeys,
    known: RegistrationIndex<LeasedRegistration>,
    hub: WatchHub<LeasedRegistration>,
    options: EtcdFeedOptions,
  ) {
    this.#client = client;
    this.#keys = keys;
    this.#known = known;
    this.#hub = hub;
    this.#options = options;
    this.#checker = new Repeater(options.checkInterval, () => this.#check(), options.onError);
  }

  async sync(): Promise<void> {
    this.#checker.start();
    if (this.#current?.isOpen !== true) await this.#start();
    const revision = this.#ownRevision;
    if (this.#revision >= revision) return;
    await new Promise<void>((resolve) => this.#waiting.push({ revision, resolve }));
  }

  stop(): void {
    this.#checker.stop();
    clearTimeout(this.#restart);
    this.#drop();
    this.#revision = 0;
    this.#wake(Infinity);
  }

  /** True while the feed receives changes. */
  get isLive(): boolean {
    return this.#revision > 0 && this.#current?.isOpen === true;
  }

  /** True if the feed has received all changes made by this storage object. */
  get hasOwnChanges(): boolean {
    return this.#revision >= this.#ownRevision;
  }

  /**
   * Waits up to `timeout` milliseconds for all changes up to a revision.
   *
   * @returns true if they were received
   */
  async waitFor(revision: number, timeout: number): Promise<boolean> {
    if (this.isLive && this.#revision >= revision) return true;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((each) => each !== waiter);
        resolve();
      };
      const waiter = { revision, resolve: done };
      const timer = setTimeout(done, timeout);
      this.#waiting.push(waiter);
    });
    return this.isLive && this.#revision >= revision;
  }

  /** Rereads everything while the stream stays open; older changes on the stream are ignored. */
  async reread(): Promise<void> {
    if (this.isLive) await this.#readAll();
  }

  /** Records the revision of a change by this storage object; a later `sync` waits for it. */
  noteOwnChange(revision: string): void {
    this.#ownRevision = Math.max(this.#ownRevision, Number(revision));
  }

  #start(): Promise<void> {
    return this.#starting ??= this.#open().finally(() => this.#starting = undefined);
  }

  async #open(): Promise<void> {
    let problem: string | undefined;
    for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
      if (!this.#checker.isRunning || this.#current !== undefined) return;
      if (this.#revision === 0) await this.#readAll();
      problem = await this.#client.run(WHAT, undefined, (member, { timeout }) => {
        return this.#connect(member, timeout);
      });
      if (problem === undefined) return;
    }
    throw storageError("etcd", "failed", WHAT, problem ?? "no stream could be opened");
  }

  /**
   * Opens a stream, waits for its first message, and then replaces the current stream.
   *
   * @returns the reason, if everything must be reread before a stream can be opened
   */
  async #connect(member: EtcdMember, timeout: number): Promise<string | undefined> {
    const next: Stream = { member, watch: undefined, isOpen: false, hasEnded: false };
    const opened = Promise.withResolvers<string | undefined>();
    // It may be rejected before it is awaited.
    opened.promise.catch(() => {});
    const onChanges = (changes: EtcdChanges): void => {
      if (next.hasEnded) return;
      if (!next.isOpen && !this.#replaceBy(next)) {
        return opened.resolve("the feed was restarted");
      }
      const problem = this.#receive(changes);
      opened.resolve(problem);
      if (problem !== undefined) this.#lost(next, new EtcdFailure("failed", problem));
    };
    const onLost = (error: unknown): void => {
      opened.reject(error);
      this.#lost(next, error);
    };
    const prefix = this.#keys.kites;
    const range = { key: prefix, end: endOf(prefix), since: this.#revision + 1 };
    next.watch = await member.watch(range, { onChanges, onLost });
    try {
      // Must time out before the surrounding call does, which would switch to another member.
      const bound = Math.max(timeout - MARGIN, MARGIN);
      return await bounded(
        { kind: "etcd", what: WHAT, timeout: bound, options: undefined },
        opened.promise,
      );
    } finally {
      if (!next.isOpen) end(next);
    }
  }

  /** Replaces the current stream; returns false if the feed was stopped meanwhile. */
  #replaceBy(next: Stream): boolean {
    if (this.#revision === 0) return false;
    const before = this.#current;
    this.#current = next;
    next.isOpen = true;
    if (before !== undefined) end(before);
    return true;
  }

  async #readAll(): Promise<void> {
    const prefix = this.#keys.kites;
    const range = { key: prefix, end: endOf(prefix) };
    const { entries, revision } = await this.#client.range(WHAT, range, undefined);
    // Meanwhile the stream may have delivered newer changes, or the feed may have been stopped.
    if (this.#revision > Number(revision) || !this.#checker.isRunning) return;
    const paths = entries.filter(({ key }) => this.#keys.kiteOf(key) !== undefined);
    this.#hub.reset(paths.map((entry) => this.#registrationOf(entry)).filter(isThere));
    // The read includes our own changes, even if a restored cluster has lower revisions.
    this.#revision = Number(revision);
    this.#ownRevision = Math.min(this.#ownRevision, this.#revision);
    this.#wake(Infinity);
  }

  /** Applies a message of the stream; returns the reason if the stream is no longer usable. */
  #receive({ revision, changes, cancelled }: EtcdChanges): string | undefined {
    this.#hasAnswered = true;
    if (cancelled !== undefined) {
      // Usually because etcd has compacted the requested revision.
      this.#revision = 0;
      return `the watch was cancelled: ${cancelled}`;
    }
    if (Number(revision) < this.#revision) {
      // The cluster was restored, or the member lags behind and would send nothing for a long time.
      this.#revision = 0;
      return "the member's revision is older than changes that were already received";
    }
    // All changes of one revision are in one message; older ones were already received.
    const known = this.#revision;
    for (const { isDeletion, entry } of changes) {
      if (Number(entry.revision) > known) this.#apply(isDeletion, entry);
    }
    return undefined;
  }

  #apply(isDeletion: boolean, entry: EtcdEntry): void {
    const kite = this.#keys.kiteOf(entry.key);
    if (kite !== undefined && !isDeletion) {
      const registration = this.#registrationOf(entry);
      if (registration !== undefined) this.#hub.put(registration);
    } else if (kite !== undefined) {
      // Another path of the same kite may have replaced this one.
      const known = this.#known.get(kite.id);
      if (known !== undefined && formatIdentity(known.kite) === formatIdentity(kite)) {
        this.#hub.remove(kite.id);
      }
    }
    this.#reach(Number(entry.revision));
  }

  #registrationOf(entry: EtcdEntry): LeasedRegistration | undefined {
    const registration = this.#keys.registrationOf(entry);
    return registration && { ...registration, lease: entry.lease };
  }

  #reach(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
    this.#wake(this.#revision);
  }

  #wake(revision: number): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((each) => each.revision > revision);
    for (const each of waiting) if (each.revision <= revision) each.resolve();
  }

  #lost(lost: Stream, error: unknown): void {
    end(lost);
    // If the stream was never in use, its opener receives the error.
    if (this.#current !== lost) return;
    this.#current = undefined;
    this.#hub.suspectLoss();
    this.#options.onError(this.#client.failure("continue the watch, will reopen it", error));
    this.#restart = setTimeout(() => this.#start().catch(this.#options.onError), RESTART_PAUSE);
  }

  #drop(): void {
    if (this.#current !== undefined) end(this.#current);
    this.#current = undefined;
  }

  /** Replaces the stream if it was silent since the last check, since it may be dead. */
  async #check(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return await this.#start();
    if (this.#hasAnswered) {
      this.#hasAnswered = false;
      return;
    }
    try {
      await this.#connect(current.member, this.#options.checkInterval);
    } catch {
      // The next member is tried, and its error is the one to report.
      if (this.#current !== current) return;
      this.#drop();
      this.#client.leave(current.member);
      await this.#start();
    }
    this.#hasAnswered = false;
  }
}

function end(stream: Stream): void {
  stream.isOpen = false;
  stream.hasEnded = true;
  stream.watch?.stop();
}

function isThere<T>(value: T | undefined): value is T {
  return value !== undefined;
}
