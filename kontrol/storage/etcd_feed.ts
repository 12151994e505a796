import type { Etcd3, IEvent, IWatchResponse } from "etcd3";
import { formatIdentity } from "../../src/protocol/identity.ts";
import { bytes, endOf, type EtcdClient, type EtcdWatchStream, toEntry } from "./etcd_client.ts";
import type { EtcdKeys } from "./etcd_keys.ts";
import { bounded, storageError } from "./failure.ts";
import type { RegistrationIndex } from "./index.ts";
import { Repeater } from "./repeater.ts";
import type { Registration } from "./storage.ts";
import type { WatchHub } from "./watch_hub.ts";
import type { Feed } from "./watch_source.ts";

/** What {@linkcode EtcdFeed} takes. */
export interface EtcdFeedOptions {
  /** Milliseconds between two looks whether the stream of changes still lives. */
  readonly checkInterval: number;
  readonly onError: (error: unknown) => void;
}

interface Stream {
  readonly client: Etcd3;
  readonly stream: EtcdWatchStream;
  isOpen: boolean;
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
 * A stream that ends, or no longer answers, is replaced by one that goes on after the last change that
 * was heard; when etcd has forgotten that far back, everything is read anew.
 */
export class EtcdFeed implements Feed {
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  readonly #known: RegistrationIndex<Registration>;
  readonly #hub: WatchHub;
  readonly #options: EtcdFeedOptions;
  readonly #checker: Repeater;
  /** The revision up to which everything was heard; 0 before the first reading. */
  #revision = 0;
  /** The revision at which everything was read. */
  #readAt = 0;
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
    known: RegistrationIndex<Registration>,
    hub: WatchHub,
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

  /** Waits until everything up to a revision was heard, at most `timeout` ms. @returns whether it was */
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
    for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
      if (!this.#checker.isRunning || this.#current !== undefined) return;
      if (this.#revision === 0) await this.#readAll();
      const problem = await this.#client.run(WHAT, undefined, (client, { deadline }) => {
        return this.#connect(client, deadline);
      });
      if (problem === undefined) return;
    }
    throw storageError("etcd", "failed", `could not ${WHAT}: etcd keeps refusing`);
  }

  /**
   * Opens a stream and waits for its first answer.
   * @returns Why everything has to be read anew before there can be a stream.
   */
  async #connect(client: Etcd3, deadline: number): Promise<Error | undefined> {
    const stream = await client.watchClient.watch();
    if (this.#revision === 0) {
      // Stopped and started again meanwhile.
      stream.cancel();
      return new Error("what was read is forgotten");
    }
    const current: Stream = this.#current = { client, stream, isOpen: false };
    const opened = new Promise<Error | undefined>((resolve, reject) => {
      const lost = (error: Error): void => {
        reject(error);
        this.#lost(current, error);
      };
      stream.on("error", lost);
      stream.on("end", () => lost(new Error("the stream of changes ended")));
      stream.on("data", (response) => {
        // What a stream says after it was given up is old news.
        if (this.#current !== current) return;
        const problem = this.#hear(response);
        resolve(problem);
        if (problem !== undefined) this.#lost(current, problem);
        else current.isOpen = true;
      });
    });
    const prefix = this.#keys.kites;
    const place = { key: bytes(prefix), range_end: bytes(endOf(prefix)) };
    stream.write({ create_request: { ...place, start_revision: this.#revision + 1 } });
    try {
      // The member in use has to answer before it is given up itself.
      const timeout = Math.max(deadline - Date.now() - MARGIN, MARGIN);
      return await bounded({ kind: "etcd", what: WHAT, timeout, options: undefined }, opened);
    } catch (error) {
      if (this.#current === current) this.#current = undefined;
      stream.cancel();
      throw error;
    }
  }

  async #readAll(): Promise<void> {
    const prefix = this.#keys.kites;
    const range = { key: prefix, end: endOf(prefix) };
    const { entries, revision } = await this.#client.range(WHAT, range, undefined);
    // The stream may have brought newer changes meanwhile, and a stop may have made an end.
    if (this.#revision > Number(revision) || !this.#checker.isRunning) return;
    const paths = entries.filter(({ key }) => this.#keys.kiteOf(key) !== undefined);
    this.#hub.reset(paths.map((entry) => this.#keys.registrationOf(entry)).filter(isThere));
    // What was read is the newest there is: our own changes are in it, whatever their revisions.
    this.#revision = this.#readAt = Number(revision);
    this.#ownRevision = Math.min(this.#ownRevision, this.#revision);
    this.#wake(Infinity);
  }

  /** Takes what the stream says; gives why the stream is of no use any more. */
  #hear(response: IWatchResponse): Error | undefined {
    this.#hasAnswered = true;
    if (response.canceled) {
      // What was asked for is too long ago.
      this.#revision = 0;
      return new Error(`the watch was cancelled: ${response.cancel_reason}`);
    }
    if (Number(response.header.revision) < this.#revision) {
      // A cluster that began anew, or a member that lags behind: it would stay silent for long.
      this.#revision = 0;
      return new Error("the member knows less than was heard before");
    }
    for (const event of response.events) this.#apply(event);
    return undefined;
  }

  #apply({ type, kv }: IEvent): void {
    const entry = toEntry(kv);
    const revision = Number(entry.revision);
    if (revision <= this.#readAt) return;
    const kite = this.#keys.kiteOf(entry.key);
    if (kite !== undefined && type === "Put") {
      const registration = this.#keys.registrationOf(entry);
      if (registration !== undefined) this.#hub.put(registration);
    } else if (kite !== undefined) {
      // Under its id there may be another path by now.
      const known = this.#known.get(kite.id);
      if (known !== undefined && formatIdentity(known.kite) === formatIdentity(kite)) {
        this.#hub.remove(kite.id);
      }
    }
    this.#reach(revision);
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
    if (this.#current !== lost) return;
    this.#drop();
    // One that never was open has somebody waiting for it, who hears of it.
    if (!lost.isOpen) return;
    this.#options.onError(this.#client.failure("go on watching, it begins anew", error));
    this.#restart = setTimeout(() => this.#start().catch(this.#options.onError), RESTART_PAUSE);
  }

  #drop(): void {
    const dropped = this.#current;
    this.#current = undefined;
    // Cancelling would make the driver throw the member's channels away, those of others too.
    dropped?.stream.end();
  }

  /** Asks the stream for a sign of life; one that gave none since the last time is replaced. */
  async #check(): Promise<void> {
    if (this.#current === undefined) return await this.#start();
    if (!this.#hasAnswered) {
      const { client, stream } = this.#current;
      this.#current = undefined;
      stream.cancel();
      this.#client.leave(client);
      return await this.#start();
    }
    if (!this.#current.isOpen) return;
    this.#hasAnswered = false;
    this.#current.stream.write({ progress_request: {} });
  }
}

function isThere<T>(value: T | undefined): value is T {
  return value !== undefined;
}
