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
import type { RegistrationIndex } from "./index.ts";
import { Repeater } from "./repeater.ts";
import type { Registration } from "./storage.ts";
import type { WatchHub } from "./watch_hub.ts";
import type { Feed } from "./watch_source.ts";

/** A registration, and the lease that its keys live by. */
export interface LeasedRegistration extends Registration {
  readonly lease: string;
}

/** What {@linkcode EtcdFeed} takes. */
export interface EtcdFeedOptions {
  /** Milliseconds between two looks whether the stream of changes still lives. */
  readonly checkInterval: number;
  readonly onError: (error: unknown) => void;
}

/** A watch of a member. */
interface Stream {
  readonly member: EtcdMember;
  watch: EtcdWatch | undefined;
  /** True between its first answer and its end. */
  isOpen: boolean;
  hasEnded: boolean;
}

/** Milliseconds between the loss of a stream and the attempt to open the next one. */
const RESTART_PAUSE = 50;

/** Attempts to open a stream after reading everything, until it is an error. */
const OPEN_ATTEMPTS = 5;

/** Milliseconds by which a stream is given up before the member. */
const MARGIN = 20;

const WHAT = "watch the registrations";

/**
 * Follows the keys of registrations: reads them all at one revision, then hears every change after it.
 * A stream that has ended, or was silent for long, is replaced by one that begins after the last
 * change that was heard; when etcd has forgotten that far back, everything is read anew.
 */
export class EtcdFeed implements Feed {
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  readonly #known: RegistrationIndex<LeasedRegistration>;
  readonly #hub: WatchHub<LeasedRegistration>;
  readonly #options: EtcdFeedOptions;
  readonly #checker: Repeater;
  /** The revision up to which everything was heard; 0 before the first reading. */
  #revision = 0;
  /** The revision that the last of our own changes made. */
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

  /** True while every change is heard. */
  get isLive(): boolean {
    return this.#revision > 0 && this.#current?.isOpen === true;
  }

  /** True if every change of our own was heard. */
  get hasHeardOwn(): boolean {
    return this.#revision >= this.#ownRevision;
  }

  /**
   * Waits until everything up to a revision was heard, at most `timeout` ms.
   *
   * @returns whether it was
   */
  async reached(revision: number, timeout: number): Promise<boolean> {
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

  /** Reads everything anew, beside the stream: what that brings of older changes does not count. */
  async reread(): Promise<void> {
    if (this.isLive) await this.#readAll();
  }

  /** A change of our own was made at this revision: a later `sync` waits until it was heard. */
  wrote(revision: string): void {
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
    throw storageError("etcd", "failed", `could not ${WHAT}: ${problem}`);
  }

  /**
   * Opens a stream and waits for its first answer; then it replaces the one before.
   * @returns Why everything has to be read anew before there can be a stream.
   */
  async #connect(member: EtcdMember, timeout: number): Promise<string | undefined> {
    const next: Stream = { member, watch: undefined, isOpen: false, hasEnded: false };
    const opened = Promise.withResolvers<string | undefined>();
    // It may fail before anybody waits for it.
    opened.promise.catch(() => {});
    const heard = (changes: EtcdChanges): void => {
      if (next.hasEnded) return;
      if (!next.isOpen && !this.#replaceBy(next)) {
        return opened.resolve("the reading began anew");
      }
      const problem = this.#hear(changes);
      opened.resolve(problem);
      if (problem !== undefined) this.#lost(next, new EtcdFailure("failed", problem));
    };
    const lost = (error: unknown): void => {
      opened.reject(error);
      this.#lost(next, error);
    };
    const prefix = this.#keys.kites;
    const place = { key: prefix, end: endOf(prefix), since: this.#revision + 1 };
    next.watch = await member.watch(place, { heard, lost });
    try {
      // The member in use has to answer before it is left itself.
      const bound = Math.max(timeout - MARGIN, MARGIN);
      return await bounded(
        { kind: "etcd", what: WHAT, timeout: bound, options: undefined },
        opened.promise,
      );
    } finally {
      if (!next.isOpen) end(next);
    }
  }

  /** Takes a stream that has answered into use; false when the feed was stopped meanwhile. */
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
    // The stream may have brought newer changes meanwhile, and a stop may have made an end.
    if (this.#revision > Number(revision) || !this.#checker.isRunning) return;
    const paths = entries.filter(({ key }) => this.#keys.kiteOf(key) !== undefined);
    this.#hub.reset(paths.map((entry) => this.#registrationOf(entry)).filter(isThere));
    // What was read is the newest there is: our own changes are in it, whatever their revisions.
    this.#revision = Number(revision);
    this.#ownRevision = Math.min(this.#ownRevision, this.#revision);
    this.#wake(Infinity);
  }

  /** Takes an answer of the stream; gives why the stream is of no use any more. */
  #hear({ revision, changes, cancelled }: EtcdChanges): string | undefined {
    this.#hasAnswered = true;
    if (cancelled !== undefined) {
      // Usually what was asked for is too long ago.
      this.#revision = 0;
      return `the watch was cancelled: ${cancelled}`;
    }
    if (Number(revision) < this.#revision) {
      // A cluster that began anew, or a member that lags behind: it would stay silent for long.
      this.#revision = 0;
      return "the member knows less than was heard before";
    }
    // All changes of one revision are in one answer. An older one was read, or another stream told it.
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
      // Under its id there may be another path by now.
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
    // One that never was in use has somebody waiting for it, who is told.
    if (this.#current !== lost) return;
    this.#current = undefined;
    this.#hub.suspectLoss();
    this.#options.onError(this.#client.failure("keep watching, so a new watch begins", error));
    this.#restart = setTimeout(() => this.#start().catch(this.#options.onError), RESTART_PAUSE);
  }

  #drop(): void {
    if (this.#current !== undefined) end(this.#current);
    this.#current = undefined;
  }

  /** Replaces a stream that brought nothing since the last check: it may be dead. */
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
      // Why does not matter: another member is asked, and that tells what fails there.
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
