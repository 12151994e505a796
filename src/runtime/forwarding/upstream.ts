import { connectTo } from "./connect.ts";
import { Input } from "./input.ts";
import type { Stream } from "./stream.ts";
import type { Upstream } from "./types.ts";

/** Milliseconds until an idle connection is closed; shorter than the keep-alive of servers. */
const KEPT_FOR = 4_000;
/** Idle connections to one upstream, and to all. */
const MOST_KEPT_EACH = 256;
const MOST_KEPT = 1_024;

/** A connection to an upstream. */
export class Link {
  readonly stream: Stream;
  readonly input: Input;
  /** `performance.now()` when it became idle. */
  idleSince = 0;

  constructor(stream: Stream) {
    this.stream = stream;
    this.input = new Input(stream);
  }

  close(): void {
    this.stream.close();
  }
}

/** Connects to upstreams, and keeps idle connections for the next requests. */
export class Upstreams {
  readonly #ca: readonly string[];
  readonly #idle = new Map<string, Link[]>();
  #kept = 0;
  #isClosed = false;

  /** @param ca certificates of private authorities, PEM, trusted beside the public ones */
  constructor(ca: readonly string[]) {
    this.#ca = ca;
  }

  /** Returns an idle connection, the one that was used last. */
  take(upstream: Upstream): Link | undefined {
    const links = this.#idle.get(keyOf(upstream));
    const link = links?.pop();
    if (link !== undefined) this.#kept--;
    return link;
  }

  /**
   * Opens a connection.
   *
   * @throws if the upstream cannot be reached, or must be public but has a private address
   */
  async open(upstream: Upstream, signal: AbortSignal): Promise<Link> {
    return new Link(await connectTo(upstream, this.#ca, signal));
  }

  /** Keeps a connection on which nothing is expected any more. */
  give(upstream: Upstream, link: Link): void {
    const key = keyOf(upstream);
    const links = this.#idle.get(key) ?? [];
    if (this.#isClosed || this.#kept >= MOST_KEPT || links.length >= MOST_KEPT_EACH) {
      return link.close();
    }
    this.#idle.set(key, links);
    links.push(link);
    this.#kept++;
    link.idleSince = performance.now();
    // The upstream may close it, and must not send anything.
    const drop = (): void => this.#drop(key, link);
    link.input.more().then(drop, drop);
  }

  #drop(key: string, link: Link): void {
    const links = this.#idle.get(key);
    const at = links?.indexOf(link) ?? -1;
    if (links === undefined || at < 0) return;
    links.splice(at, 1);
    if (links.length === 0) this.#idle.delete(key);
    this.#kept--;
    link.close();
  }

  /** Closes the connections that have been idle for too long. */
  sweep(now: number): void {
    for (const [key, links] of this.#idle) {
      if (links.length === 0) this.#idle.delete(key);
      for (const link of links.filter(({ idleSince }) => now - idleSince >= KEPT_FOR)) {
        this.#drop(key, link);
      }
    }
  }

  /** Closes the idle connections. */
  close(): void {
    this.#isClosed = true;
    for (const [key, links] of this.#idle) for (const link of [...links]) this.#drop(key, link);
  }
}

function keyOf({ hostname, port, secure, publicOnly }: Upstream): string {
  return `${hostname}|${port}|${secure}|${publicOnly}`;
}
