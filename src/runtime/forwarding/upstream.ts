import { connectTo } from "./connect.ts";
import { type Answer, parseAnswer } from "./head.ts";
import { Input } from "./input.ts";
import { Recent } from "./recent.ts";
import type { Stream } from "./stream.ts";
import type { Upstream } from "./types.ts";

/** Milliseconds until an idle connection is closed; shorter than the keep-alive of servers. */
const KEPT_FOR = 4_000;
/** Idle connections to one upstream, and to all. */
const MOST_KEPT_EACH = 256;
const MOST_KEPT = 1_024;

/** An upstream did not accept a connection in time. */
export class ConnectTimeout extends Error {}

/** An answer of an upstream. */
export interface KnownAnswer {
  readonly answer: Answer;
  /** Its head as clients get it that know chunks and keep their connections. */
  encoded?: Uint8Array;
}

/** A connection to an upstream. */
export class Link {
  readonly stream: Stream;
  readonly input: Input;
  /** `performance.now()` when it became idle. */
  idleSince = 0;
  readonly #answers = new Recent<string, KnownAnswer>();

  constructor(stream: Stream) {
    this.stream = stream;
    this.input = new Input(stream);
  }

  /**
   * Parses the head of an answer, unless it is that of one of the last answers.
   *
   * @param method that of the request
   * @throws {BadMessage}
   */
  parseAnswer(text: string, method: string): KnownAnswer {
    // An answer to HEAD has no body.
    if (method === "HEAD") return { answer: parseAnswer(text, method) };
    let known = this.#answers.get(text);
    if (known === undefined) {
      known = { answer: parseAnswer(text, method) };
      this.#answers.set(text, known, text.length);
    }
    return known;
  }

  close(): void {
    this.stream.close();
  }
}

/** Connects to upstreams, and keeps idle connections for the next requests. */
export class Upstreams {
  readonly #ca: readonly string[];
  readonly #connectTimeout: number;
  /** The connections that are being opened, and since when. */
  readonly #opening = new Map<AbortController, number>();
  readonly #idle = new Map<string, Link[]>();
  #kept = 0;
  #isClosed = false;

  /**
   * @param ca certificates of private authorities, PEM, trusted beside the public ones
   * @param connectTimeout milliseconds to connect
   */
  constructor(ca: readonly string[], connectTimeout: number) {
    this.#ca = ca;
    this.#connectTimeout = connectTimeout;
  }

  /** Returns an idle connection, the one that was used last. */
  take(upstream: Upstream): Link | undefined {
    const links = this.#idle.get(keyOf(upstream));
    const link = links?.pop();
    if (link !== undefined) this.#kept--;
    return link;
  }

  /**
   * Opens a connection. The caller has to wait for it, even if the client has left: `Deno.connect`
   * loses a connection that is aborted at the moment at which it opens (2.9).
   *
   * @throws {ConnectTimeout} after `connectTimeout`
   * @throws if the upstream cannot be reached, or must be public but has a private address
   */
  async open(upstream: Upstream): Promise<Link> {
    const controller = new AbortController();
    this.#opening.set(controller, performance.now());
    try {
      return new Link(await connectTo(upstream, this.#ca, controller.signal));
    } catch (error) {
      throw controller.signal.aborted ? new ConnectTimeout() : error;
    } finally {
      this.#opening.delete(controller);
    }
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

  /** Ends what takes too long, and closes the connections that have been idle for too long. */
  sweep(now: number): void {
    for (const [controller, since] of this.#opening) {
      if (now - since >= this.#connectTimeout) controller.abort();
    }
    for (const [key, links] of this.#idle) {
      if (links.length === 0) this.#idle.delete(key);
      for (const link of links.filter(({ idleSince }) => now - idleSince >= KEPT_FOR)) {
        this.#drop(key, link);
      }
    }
  }

  /** Gives up the connections that are being opened. */
  abort(): void {
    for (const controller of this.#opening.keys()) controller.abort();
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
