import { type Bound, bounded } from "./failure.ts";
import type { RegistrationIndex } from "./index.ts";
import type { Matcher } from "./matcher.ts";
import type {
  LossListener,
  OperationOptions,
  Registration,
  Storage,
  StorageListener,
  Watch,
} from "./storage.ts";
import { WatchHub } from "./watch_hub.ts";

/** What keeps a hub's knowledge up to date with a server, while somebody watches. */
export interface Feed {
  /** Brings the hub up to date: what was done before this call is known when it returns. */
  sync(): Promise<void>;
  /** Stops following; the next `sync` begins anew. */
  stop(): void;
}

/** The watchers of a storage with a server, and the feed that runs for as long as there are any. */
export class WatchSource<Entry extends Registration> {
  /** What the feed feeds. */
  readonly hub: WatchHub<Entry>;
  readonly #known: RegistrationIndex<Entry>;
  readonly #feed: Feed;
  readonly #onError: (error: unknown) => void;
  readonly #bound: Pick<Bound, "kind" | "what" | "timeout">;
  #starting = 0;
  #isKept = false;

  constructor(
    known: RegistrationIndex<Entry>,
    kind: Storage["kind"],
    timeout: number,
    onError: (error: unknown) => void,
    createFeed: (hub: WatchHub<Entry>) => Feed,
  ) {
    this.#known = known;
    this.#onError = onError;
    this.#bound = { kind, timeout, what: "watch the registrations" };
    this.hub = new WatchHub(known, { onError, onIdle: () => this.#stopIfIdle() });
    this.#feed = createFeed(this.hub);
  }

  /** Begins a watch. */
  async watch(
    matcher: Matcher,
    listener: StorageListener,
    options: OperationOptions | undefined,
  ): Promise<Watch> {
    this.#starting++;
    try {
      await bounded({ ...this.#bound, options }, this.#feed.sync());
      return this.hub.add(matcher, listener, options?.signal);
    } finally {
      this.#starting--;
      this.#stopIfIdle();
    }
  }

  /** Adds a listener for losses; the feed runs for as long as there is one. */
  onLoss(listener: LossListener): Disposable {
    const loss = this.hub.onLoss(listener);
    // Should it fail, the feed tries again by itself.
    this.#feed.sync().catch(this.#onError);
    return loss;
  }

  /** Follows from now on until the end, whether anybody watches or not. */
  async keep(): Promise<void> {
    if (!this.#isKept) this.#starting++;
    this.#isKept = true;
    await bounded({ ...this.#bound, options: undefined }, this.#feed.sync());
  }

  /** Ends every watch. */
  close(): void {
    this.hub.close();
    this.#feed.stop();
  }

  #stopIfIdle(): void {
    if (this.#starting > 0 || !this.hub.isIdle) return;
    this.#feed.stop();
    this.#known.clear();
  }
}
