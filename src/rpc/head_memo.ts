import type { CallbackPlace } from "../dnode/unscrub.ts";
import { type Head, readHead, type StatedHead } from "./head.ts";

const METHOD = '{"method":"';
const ARGUMENTS = ',"arguments":[{';
const BACKSLASH = 0x5c;

/** Requests in a row with an unusual form, after which the memo is no longer used for this peer. */
const PATIENCE = 4;

/**
 * Remembers the head of a caller's requests, its identity and token, so that this kilobyte is
 * parsed once instead of with every call.
 *
 * The remembered text consists of exactly two members, `kite` and `authentication`, which were
 * parsed at the same position before. Replacing them with a mark and adding their values to the
 * object with the mark therefore gives the same result as parsing the whole text. As in JSON, a
 * later duplicate of a member wins, and so does a later `arguments`, which has no mark. Peers
 * cannot guess the mark.
 */
export class HeadMemo {
  #text = "";
  /** The name of the member that replaces the head. */
  #mark = "";
  #head: Head | undefined;
  #patience = PATIENCE;
  /** The first request is not remembered, since many callers of a Kontrol call only once. */
  #hadRequest = false;

  /** Replaces the head of a message with the mark; undefined if it is not the remembered head. */
  reduce(text: string): string | undefined {
    if (this.#text === "") return undefined;
    const start = headStart(text);
    if (start < 0) return undefined;
    const end = start + this.#text.length;
    // For a kilobyte, comparing slices is 40 times as fast as `startsWith`.
    if (text.slice(start, end) !== this.#text) return undefined;
    return `${text.slice(0, start)}"${this.#mark}":0,${text.slice(end)}`;
  }

  /** True if a function or a link of a message may change its head after it was parsed. */
  mayChange(places: readonly CallbackPlace[], links: unknown): boolean {
    if (Array.isArray(links) && links.length > 0) return true;
    for (const { path } of places) {
      if (path[1] === "kite" || path[1] === "authentication") return true;
    }
    return false;
  }

  /**
   * Reads the head of a request.
   *
   * @param text the message, if it was parsed as a whole and its head can be remembered
   */
  read(method: string, request: StatedHead, text: string | undefined, nameLength: number): Head {
    if (text !== undefined) {
      const head = readHead(request, nameLength);
      this.#learn(text, method, request, head);
      return head;
    }
    const known = Object.hasOwn(request, this.#mark) ? this.#head : undefined;
    if (known === undefined) return readHead(request, nameLength);
    const statesKite = Object.hasOwn(request, "kite");
    const statesAuthentication = Object.hasOwn(request, "authentication");
    if (!statesKite && !statesAuthentication) return known;
    const stated = readHead(request, nameLength);
    return {
      kite: statesKite ? stated.kite : known.kite,
      authentication: statesAuthentication ? stated.authentication : known.authentication,
    };
  }

  #learn(text: string, method: string, stated: StatedHead, head: Head): void {
    if (!this.#hadRequest) {
      this.#hadRequest = true;
      return;
    }
    if (this.#patience === 0) return;
    const start = METHOD.length + method.length + 1 + ARGUMENTS.length;
    if (headStart(text) === start) {
      const own = headText(stated);
      if (text.startsWith(own, start)) {
        if (this.#mark === "") this.#mark = newMark();
        this.#text = own;
        this.#head = head;
        this.#patience = PATIENCE;
        return;
      }
    }
    this.#patience--;
  }
}

function headText({ kite, authentication }: StatedHead): string {
  return `"kite":${JSON.stringify(kite)},"authentication":${JSON.stringify(authentication)},`;
}

function newMark(): string {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return `${high!.toString(36)}-${low!.toString(36)}`;
}

/** Returns where the members of a request begin, or -1 if the text has an unusual form. */
function headStart(text: string): number {
  if (!text.startsWith(METHOD)) return -1;
  const end = text.indexOf('"', METHOD.length);
  if (end < 0 || text.charCodeAt(end - 1) === BACKSLASH) {
    return -1;
  }
  return text.startsWith(ARGUMENTS, end + 1) ? end + 1 + ARGUMENTS.length : -1;
}
