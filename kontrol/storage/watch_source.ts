import { type Bound, bounded } from "./failure.ts";
import type { RegistrationIndex } from "./registration_index.ts";
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

/** Keeps a hub in sync with a server. */
export interface Feed {
  /** Starts the feed, and resolves once the hub knows all changes made before this call. */
  sync(): Promise<void>;
  /** Stops the feed; the next `sync` starts from scratch. */
  stop(): void;
}

/** The watches of a storage with a server. The feed runs while there are watches or loss listeners. */
export class WatchSource<Entry extends Registration> {
  /** Receives the changes from the feed. */
  readonly hub: WatchHub<Entry>;
  readonly #known: RegistrationIndex<Entry>;
  readonly #feed: Feed;
  readonly #onError: (error: unknown) => void;
  readonly #bound: Pick<Bound, "kind" | "what" | "timeout">;
  /** The number of calls that need the feed, in addition to the hub's listeners. */
  #holders = 0;
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

  /** Starts a watch. */
  async watch(
    matcher: Matcher,
    listener: StorageListener,
    options: OperationOptions | undefined,
  ): Promise<Watch> {
    this.#holders++;
    try {
      await bounded({ ...this.#bound, options }, this.#feed.sync());
      return this.hub.add(matcher, listener, options?.signal);
    } finally {
      this.#holders--;
      this.#stopIfIdle();
    }
  }

  /** Adds a loss listener. */
  onLoss(listener: LossListener): Disposable {
    const loss = this.hub.onLoss(listener);
    // The feed retries by itself if this fails.
    this.#feed.sync().catch(this.#onError);
    return loss;
  }

  /** Keeps the feed running until `close`, even without watches. */
  async keep(): Promise<void> {
    if (!this.#isKept) this.#holders++;
    this.#isKept = true;
    await bounded({ ...this.#bound, options: undefined }, this.#feed.sync());
  }

  /** Ends every watch and stops the feed. */
  close(): void {
    this.hub.close();
    this.#feed.stop();
  }

  #stopIfIdle(): void {
    if (this.#holders > 0 || !this.hub.isIdle) return;
    this.#feed.stop();
    this.#known.clear();
  }
}
