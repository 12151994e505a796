import { afterTurn } from "../../src/runtime/turn.ts";
import type { RegistrationIndex } from "./index.ts";
import type { Matcher } from "./matcher.ts";
import type {
  LossListener,
  Registration,
  StorageEvent,
  StorageListener,
  Watch,
} from "./storage.ts";

interface Watcher {
  readonly matcher: Matcher;
  readonly listener: StorageListener;
  /** The number of the last event that its current list had in it. */
  readonly after: number;
  readonly stop: () => void;
}

interface NumberedEvent {
  readonly number: number;
  readonly event: StorageEvent;
}

/** What {@linkcode WatchHub} tells its owner. */
export interface WatchHubOptions {
  /** Told of a listener that throws; the others still hear the event. */
  readonly onError: (error: unknown) => void;
  /** Called when the last watcher has gone. */
  readonly onIdle?: () => void;
}

/**
 * What the watchers of one storage know, and the one place where a change becomes an event. Whoever
 * feeds it may tell the same thing twice: only what differs from what is known is an event.
 *
 * Events leave after the turn in which they arose: whoever has just been given a current list has it
 * in hand by then.
 */
export class WatchHub<Entry extends Registration = Registration> {
  readonly #known: RegistrationIndex<Entry>;
  readonly #options: WatchHubOptions;
  readonly #watchers = new Set<Watcher>();
  readonly #lossListeners = new Set<LossListener>();
  #waiting: NumberedEvent[] = [];
  #lastNumber = 0;

  constructor(known: RegistrationIndex<Entry>, options: WatchHubOptions) {
    this.#known = known;
    this.#options = options;
  }

  /** True if nobody watches or waits for losses. */
  get isIdle(): boolean {
    return this.#watchers.size === 0 && this.#lossListeners.size === 0;
  }

  /** Begins a watch; its current list is what is known now. */
  add(matcher: Matcher, listener: StorageListener, signal: AbortSignal | undefined): Watch {
    const current = this.#known.find(matcher, Infinity).map(plain);
    const stop = (): void => {
      signal?.removeEventListener("abort", stop);
      if (this.#watchers.delete(watcher) && this.isIdle) this.#options.onIdle?.();
    };
    const watcher: Watcher = { matcher, listener, after: this.#lastNumber, stop };
    this.#watchers.add(watcher);
    signal?.addEventListener("abort", stop, { once: true });
    return { current, stop, [Symbol.dispose]: stop };
  }

  /** Adds a listener for losses, see {@linkcode Storage.onLoss}. */
  onLoss(listener: LossListener): Disposable {
    // A listener of its own each time: the same one may be given twice.
    const own: LossListener = (lost) => listener(lost);
    this.#lossListeners.add(own);
    return {
      [Symbol.dispose]: () => {
        if (this.#lossListeners.delete(own) && this.isIdle) this.#options.onIdle?.();
      },
    };
  }

  /** Changes may have been missed: any registration may be gone. */
  suspectLoss(): void {
    this.#tellLoss(undefined);
  }

  /** A kite is there, as `entry` says. */
  put(entry: Entry): void {
    const known = this.#known.get(entry.kite.id);
    this.#known.put(entry);
    if (known !== undefined && !isSameKite(known, entry)) {
      this.#tell("DEREGISTER", known);
      this.#tell("REGISTER", entry);
    } else if (known === undefined || known.url !== entry.url) {
      this.#tell("REGISTER", entry);
    }
  }

  /** The kite with that id is gone; gives what was known of it. */
  remove(id: string): Entry | undefined {
    const known = this.#known.remove(id);
    if (known !== undefined) this.#tell("DEREGISTER", known);
    return known;
  }

  /** These are all there are: what is known beside them is gone. */
  reset(entries: Iterable<Entry>): void {
    const present = new Set<string>();
    const found = [...entries];
    for (const entry of found) present.add(entry.kite.id);
    for (const known of [...this.#known.values()]) {
      if (!present.has(known.kite.id)) this.remove(known.kite.id);
    }
    for (const entry of found) this.put(entry);
  }

  /** Ends every watch. */
  close(): void {
    this.#lossListeners.clear();
    for (const watcher of this.#watchers) watcher.stop();
    this.#waiting = [];
  }

  #tell(action: StorageEvent["action"], entry: Entry): void {
    const number = ++this.#lastNumber;
    if (this.isIdle) return;
    this.#waiting.push({ number, event: { action, registration: plain(entry) } });
    if (this.#waiting.length === 1) afterTurn(() => this.#deliver());
  }

  #deliver(): void {
    const events = this.#waiting;
    this.#waiting = [];
    for (const { number, event } of events) {
      if (event.action === "DEREGISTER") this.#tellLoss(event.registration);
      for (const watcher of this.#watchers) {
        if (number <= watcher.after || !watcher.matcher.accepts(event.registration.kite)) continue;
        try {
          watcher.listener(event);
        } catch (error) {
          this.#options.onError(error);
        }
      }
    }
  }

  #tellLoss(lost: Registration | undefined): void {
    for (const listener of this.#lossListeners) {
      try {
        listener(lost);
      } catch (error) {
        this.#options.onError(error);
      }
    }
  }
}

/** A registration as callers get it, without what the storage keeps beside it. */
export function plain({ kite, url, keyId, updatedAt }: Registration): Registration {
  return updatedAt === undefined ? { kite, url, keyId } : { kite, url, keyId, updatedAt };
}

/** True if both are the same kite in all its fields. */
export function isSameKite(left: Registration, right: Registration): boolean {
  const [a, b] = [left.kite, right.kite];
  return a.username === b.username && a.environment === b.environment && a.name === b.name &&
    a.version === b.version && a.region === b.region && a.hostname === b.hostname;
}
