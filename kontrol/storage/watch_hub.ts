import { afterTurn } from "../../src/runtime/turn.ts";
import type { RegistrationIndex } from "./registration_index.ts";
import type { Matcher } from "./matcher.ts";
import type {
  LossListener,
  Registration,
  StorageEvent,
  StorageListener,
  Watch,
} from "./storage.ts";

interface Subscription {
  readonly matcher: Matcher;
  readonly listener: StorageListener;
  /** The number of the last event that its current list includes. */
  readonly after: number;
  readonly stop: () => void;
}

interface NumberedEvent {
  readonly number: number;
  readonly event: StorageEvent;
}

/** The callbacks of a {@linkcode WatchHub}. */
export interface WatchHubOptions {
  /** Receives what a listener threw. The other listeners still receive the event. */
  readonly onError: (error: unknown) => void;
  /** Called when the last watch or loss listener has ended. */
  readonly onIdle?: () => void;
}

/**
 * Turns the known state of a storage into events for its watches. Only a difference from the known
 * state is an event, so the same state may be reported repeatedly.
 *
 * Events are delivered after the current turn of the event loop, so that the caller of `add` has
 * received the current list by then.
 */
export class WatchHub<Entry extends Registration = Registration> {
  readonly #known: RegistrationIndex<Entry>;
  readonly #options: WatchHubOptions;
  readonly #subscriptions = new Set<Subscription>();
  readonly #lossListeners = new Set<LossListener>();
  #waiting: NumberedEvent[] = [];
  #lastNumber = 0;

  constructor(known: RegistrationIndex<Entry>, options: WatchHubOptions) {
    this.#known = known;
    this.#options = options;
  }

  /** True if there is no watch and no loss listener. */
  get isIdle(): boolean {
    return this.#subscriptions.size === 0 && this.#lossListeners.size === 0;
  }

  /** Starts a watch; its current list is the known state. */
  add(matcher: Matcher, listener: StorageListener, signal: AbortSignal | undefined): Watch {
    const current = this.#known.find(matcher, Infinity).map(plain);
    const stop = (): void => {
      signal?.removeEventListener("abort", stop);
      if (this.#subscriptions.delete(subscription) && this.isIdle) this.#options.onIdle?.();
    };
    const subscription: Subscription = { matcher, listener, after: this.#lastNumber, stop };
    this.#subscriptions.add(subscription);
    signal?.addEventListener("abort", stop, { once: true });
    return { current, stop, [Symbol.dispose]: stop };
  }

  /** Adds a loss listener, see {@linkcode Storage.onLoss}. */
  onLoss(listener: LossListener): Disposable {
    // Wrapped, since the same function may be added twice.
    const own: LossListener = (lost) => listener(lost);
    this.#lossListeners.add(own);
    return {
      [Symbol.dispose]: () => {
        if (this.#lossListeners.delete(own) && this.isIdle) this.#options.onIdle?.();
      },
    };
  }

  /** Tells the loss listeners that changes may have been missed. */
  suspectLoss(): void {
    this.#notifyLoss(undefined);
  }

  /** Adds or updates a registration. */
  put(entry: Entry): void {
    const known = this.#known.get(entry.kite.id);
    this.#known.put(entry);
    if (known !== undefined && !isSameKite(known, entry)) {
      this.#enqueue("DEREGISTER", known);
      this.#enqueue("REGISTER", entry);
    } else if (known === undefined || known.url !== entry.url) {
      this.#enqueue("REGISTER", entry);
    }
  }

  /** Removes and returns a registration. */
  remove(id: string): Entry | undefined {
    const known = this.#known.remove(id);
    if (known !== undefined) this.#enqueue("DEREGISTER", known);
    return known;
  }

  /** Replaces the known state. */
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
    for (const subscription of this.#subscriptions) subscription.stop();
    this.#waiting = [];
  }

  #enqueue(action: StorageEvent["action"], entry: Entry): void {
    const number = ++this.#lastNumber;
    if (this.isIdle) return;
    this.#waiting.push({ number, event: { action, registration: plain(entry) } });
    if (this.#waiting.length === 1) afterTurn(() => this.#deliver());
  }

  #deliver(): void {
    const events = this.#waiting;
    this.#waiting = [];
    for (const { number, event } of events) {
      if (event.action === "DEREGISTER") this.#notifyLoss(event.registration);
      for (const { after, matcher, listener } of this.#subscriptions) {
        if (number <= after || !matcher.accepts(event.registration.kite)) continue;
        try {
          listener(event);
        } catch (error) {
          this.#options.onError(error);
        }
      }
    }
  }

  #notifyLoss(lost: Registration | undefined): void {
    for (const listener of this.#lossListeners) {
      try {
        listener(lost);
      } catch (error) {
        this.#options.onError(error);
      }
    }
  }
}

/** A registration without the fields that a storage adds for itself. */
export function plain({ kite, url, keyId, updatedAt }: Registration): Registration {
  return updatedAt === undefined ? { kite, url, keyId } : { kite, url, keyId, updatedAt };
}

/** True if two identities are equal in all fields except the ID. */
export function isSameKite(left: Registration, right: Registration): boolean {
  const [a, b] = [left.kite, right.kite];
  return a.username === b.username && a.environment === b.environment && a.name === b.name &&
    a.version === b.version && a.region === b.region && a.hostname === b.hostname;
}
