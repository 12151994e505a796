/** What two kites of this library can do beyond the protocol of older peers (docs/protocol.md §8). */
export type Extension = "compact/1" | "cancel/1" | "release/1" | "stream/1";

const WITHOUT_COMPACT: readonly Extension[] = Object.freeze(["cancel/1", "release/1", "stream/1"]);
const ALL: readonly Extension[] = Object.freeze(["compact/1", ...WITHOUT_COMPACT]);

/** Names that are read of a remote's list, at most: later versions may have more than we know. */
const MOST_NAMES = 64;

/** The extensions that a kite offers to a remote, with or without compact messages. */
export function offeredExtensions(compact: boolean): readonly Extension[] {
  return compact ? ALL : WITHOUT_COMPACT;
}

/**
 * The extensions of one session. Each side names its own once, in its first request, or else in its
 * first answer to a remote that has named some. A remote that names none never sees an extension.
 */
export class Extensions {
  readonly #own: readonly Extension[];
  #isAnnounced = false;
  #remote: ReadonlySet<Extension> | undefined;

  /**
   * Begins without knowing the remote.
   *
   * @param own what this side can do on this session
   */
  constructor(own: readonly Extension[]) {
    this.#own = own;
  }

  /** Our names as JSON, for the first request of a session; undefined once they were sent. */
  get forRequest(): string | undefined {
    return this.#isAnnounced ? undefined : JSON.stringify(this.#own);
  }

  /** Our names as JSON, for the first answer to a remote that named its own. */
  get forAnswer(): string | undefined {
    return this.#isAnnounced || this.#remote === undefined ? undefined : JSON.stringify(this.#own);
  }

  /** True once the remote has named its extensions. */
  get isKnown(): boolean {
    return this.#remote !== undefined;
  }

  /** True if both sides can do it, and the remote is known to. */
  has(name: Extension): boolean {
    return this.#remote !== undefined && this.#remote.has(name);
  }

  /** Our names are on their way. */
  announced(): void {
    this.#isAnnounced = true;
  }

  /**
   * Reads the names of the remote. Only the first list of a session counts; names that this side
   * cannot use are ignored.
   *
   * @param names as it came, unchecked
   * @returns whether it was the first list
   */
  learn(names: unknown): boolean {
    if (this.#remote !== undefined || !Array.isArray(names)) return false;
    const given = names.slice(0, MOST_NAMES);
    this.#remote = new Set(this.#own.filter((name) => given.includes(name)));
    return true;
  }
}
