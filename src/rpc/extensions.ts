/** A feature that only kites of this library have (docs/protocol.md §8). */
export type Extension = "compact/1" | "cancel/1" | "release/1" | "stream/1";

const WITHOUT_COMPACT: readonly Extension[] = Object.freeze(["cancel/1", "release/1", "stream/1"]);
const ALL: readonly Extension[] = Object.freeze(["compact/1", ...WITHOUT_COMPACT]);

/** Maximum number of names that are read. Later versions may send more than this one knows. */
const MOST_NAMES = 64;

/** Returns the extensions that a kite offers, with or without compact messages. */
export function offeredExtensions(compact: boolean): readonly Extension[] {
  return compact ? ALL : WITHOUT_COMPACT;
}

/**
 * Negotiates the extensions of one session. Each side sends the names of its own once: in its first
 * request, or in its first answer to a remote that has sent names. A remote that sends no names
 * never receives a message of an extension.
 */
export class Extensions {
  readonly #own: readonly Extension[];
  #isAnnounced = false;
  #remote: ReadonlySet<Extension> | undefined;

  /**
   * Creates the state of a new session.
   *
   * @param own the extensions of this side
   */
  constructor(own: readonly Extension[]) {
    this.#own = own;
  }

  /** This side's names as JSON, for its first request; undefined once they were sent. */
  get forRequest(): string | undefined {
    return this.#isAnnounced ? undefined : JSON.stringify(this.#own);
  }

  /** This side's names as JSON, for its first answer to a remote that has sent its names. */
  get forAnswer(): string | undefined {
    return this.#isAnnounced || this.#remote === undefined ? undefined : JSON.stringify(this.#own);
  }

  /** True once the remote has sent its names. */
  get isKnown(): boolean {
    return this.#remote !== undefined;
  }

  /** True if both sides have an extension. */
  has(name: Extension): boolean {
    return this.#remote !== undefined && this.#remote.has(name);
  }

  /** Notes that this side's names were sent. */
  announced(): void {
    this.#isAnnounced = true;
  }

  /**
   * Reads the names of the remote. Only the first list of a session counts. Unknown names are
   * ignored.
   *
   * @param names the unchecked list
   * @returns whether it was the first list
   */
  learn(names: unknown): boolean {
    if (this.#remote !== undefined || !Array.isArray(names)) return false;
    const given = names.slice(0, MOST_NAMES);
    this.#remote = new Set(this.#own.filter((name) => given.includes(name)));
    return true;
  }
}
