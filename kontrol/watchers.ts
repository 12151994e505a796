import type { Callback } from "../src/dnode/scrub.ts";
import { KiteError } from "../src/protocol/errors.ts";
import { readQuery } from "../src/protocol/query.ts";
import type { RemoteKite } from "../src/rpc/remote.ts";
import type { Caller } from "./policy.ts";
import type { FoundKite, KontrolService } from "./service.ts";
import type { Registration, StorageEvent, Watch } from "./storage/storage.ts";

/** Watches of one connection, at most. */
const MOST_WATCHES = 256;

/** Changes that wait for their tokens, of one watch, at most. */
const MOST_WAITING = 10_000;

/** A watch of a caller: passes each change on, in order. */
class Watcher {
  readonly #service: KontrolService;
  readonly #caller: Caller;
  readonly #callback: Callback;
  readonly #onOverflow: () => void;
  readonly #onError: (error: unknown) => void;
  /** Kites that the caller was told of. */
  readonly #told = new Set<string>();
  #waiting: StorageEvent[] = [];
  #isBusy = true;
  #watch: Watch | undefined;
  #isStopped = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    service: KontrolService,
    caller: Caller,
    callback: Callback,
    onOverflow: () => void,
    onError: (error: unknown) => void,
  ) {
    this.#service = service;
    this.#caller = caller;
    this.#callback = callback;
    this.#onOverflow = onOverflow;
    this.#onError = onError;
  }

  /** Begins. @returns the present list; changes follow {@linkcode Watcher.go} */
  async begin(query: unknown): Promise<FoundKite[]> {
    const { storage, policy } = this.#service.parts;
    this.#watch = await storage.watch(readQuery(query), (event) => this.#changed(event));
    const kites: FoundKite[] = [];
    for (const registration of this.#watch.current) {
      if (await policy.mayCall?.(this.#caller, registration.kite) === false) continue;
      kites.push(await this.#service.describe(this.#caller, registration));
      this.#told.add(registration.kite.id);
    }
    if (this.#isStopped) this.#watch.stop();
    return kites;
  }

  /** Lets changes through after this turn: the list is on its way by then. */
  go(): void {
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#drain(), 0);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#watch?.stop();
  }

  #changed(event: StorageEvent): void {
    if (this.#isStopped) return;
    if (this.#waiting.length >= MOST_WAITING) return this.#onOverflow();
    this.#waiting.push(event);
    if (!this.#isBusy) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#isBusy = true;
    while (this.#waiting.length > 0 && !this.#isStopped) {
      const batch = this.#waiting;
      this.#waiting = [];
      for (const event of batch) {
        try {
          await this.#pass(event);
        } catch (error) {
          this.#onError(error);
        }
      }
    }
    this.#isBusy = false;
  }

  async #pass({ action, registration }: StorageEvent): Promise<void> {
    const { kite, url } = registration;
    if (action === "DEREGISTER") {
      if (!this.#told.delete(kite.id)) return;
      return this.#tell({ action, kite, url, token: "" });
    }
    const { policy } = this.#service.parts;
    if (await policy.mayCall?.(this.#caller, kite) === false) return;
    this.#told.add(kite.id);
    this.#tell({ action, kite, url, token: await this.#tokenFor(registration) });
  }

  /** `""` while none can be signed: the change is told all the same, and a token can be asked for. */
  async #tokenFor(registration: Registration): Promise<string> {
    try {
      return (await this.#service.describe(this.#caller, registration)).token;
    } catch (error) {
      this.#onError(error);
      return "";
    }
  }

  /** kite.js reads `err`, Go `error`; `token` is always a string (docs/kontrol-protocol.md §2). */
  #tell(result: Record<string, unknown>): void {
    if (!this.#isStopped) this.#callback({ error: null, err: null, result });
  }
}

/** The watches of every connection. */
export class Watchers {
  readonly #service: KontrolService;
  readonly #onError: (error: unknown) => void;
  readonly #byRemote = new Map<RemoteKite, Map<string, Watcher>>();

  constructor(service: KontrolService, onError: (error: unknown) => void) {
    this.#service = service;
    this.#onError = onError;
  }

  /** Watches that are running. */
  get size(): number {
    let size = 0;
    for (const watchers of this.#byRemote.values()) size += watchers.size;
    return size;
  }

  /** Begins a watch for a remote, until it cancels it or disconnects. */
  async add(
    remote: RemoteKite,
    caller: Caller,
    query: unknown,
    callback: Callback,
  ): Promise<{ kites: FoundKite[]; watcherID: string }> {
    const watchers = this.#of(remote);
    if (watchers.size >= MOST_WATCHES) {
      throw new KiteError("limitError", `at most ${MOST_WATCHES} watches on one connection`);
    }
    const watcherID = crypto.randomUUID();
    const watcher = new Watcher(
      this.#service,
      caller,
      callback,
      () => remote.close(),
      this.#onError,
    );
    watchers.set(watcherID, watcher);
    try {
      const kites = await watcher.begin(query);
      this.#service.parts.metrics.count("watches");
      watcher.go();
      return { kites, watcherID };
    } catch (error) {
      watchers.delete(watcherID);
      watcher.stop();
      throw error;
    }
  }

  /** Ends a watch of a remote. @throws {KiteError} `argumentError` when it has none of that id */
  cancel(remote: RemoteKite, watcherID: string): void {
    const watchers = this.#byRemote.get(remote);
    const watcher = watchers?.get(watcherID);
    if (watcher === undefined) throw new KiteError("argumentError", "no watcher with that id");
    watchers?.delete(watcherID);
    watcher.stop();
  }

  #of(remote: RemoteKite): Map<string, Watcher> {
    const known = this.#byRemote.get(remote);
    if (known !== undefined) return known;
    const watchers = new Map<string, Watcher>();
    this.#byRemote.set(remote, watchers);
    remote.onDisconnect(() => {
      for (const watcher of watchers.values()) watcher.stop();
      this.#byRemote.delete(remote);
    });
    return watchers;
  }
}
