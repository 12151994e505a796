import type { Head } from "./head.ts";

const METHOD = '{"method":"';
const ARGUMENTS = ',"arguments":[{';
const BACKSLASH = 0x5c;

/** After so many requests whose text is not of the usual form, a peer's heads are not looked at. */
const PATIENCE = 4;

/** The two members of a head as a message has them. */
export interface StatedHead {
  readonly kite?: unknown;
  readonly authentication?: unknown;
}

/**
 * Remembers the part that all requests of a caller share, identity and token, so that this kilobyte
 * is parsed once and not with every call.
 *
 * Sound because the remembered text is exactly two members, `kite` and `authentication`, that were
 * parsed at this very place before: putting a mark in their place and adding their values to the
 * object that has the mark is the same as parsing it whole. A later duplicate of a member wins, as in
 * JSON; so does a later `arguments`, which has no mark. No peer can guess the mark.
 */
export class HeadMemo {
  #text = "";
  /** The name of the member that stands in for the head. */
  #mark = "";
  #head: Head | undefined;
  #patience = PATIENCE;
  /** A caller that calls but once, as many at a Kontrol, is not worth the memory. */
  #hadRequest = false;

  /** What the remembered text means. */
  get head(): Head | undefined {
    return this.#head;
  }

  /** Whether a request is the one whose head was cut. */
  isCut(request: object): boolean {
    return Object.hasOwn(request, this.#mark);
  }

  /** The message with a mark for its head if that is the remembered one, else undefined. */
  reduce(text: string): string | undefined {
    if (this.#text === "") return undefined;
    const start = headStart(text);
    if (start < 0) return undefined;
    const end = start + this.#text.length;
    // Comparing slices takes a fortieth of the time of `startsWith` on a kilobyte.
    if (text.slice(start, end) !== this.#text) return undefined;
    return `${text.slice(0, start)}"${this.#mark}":0,${text.slice(end)}`;
  }

  /**
   * Remembers the head of a message that was parsed whole.
   *
   * @param stated the members as they came
   * @param head what they mean
   */
  learn(text: string, method: string, stated: StatedHead, head: Head): void {
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

/** Where the members of a request begin, or -1 if the text is not of the usual form. */
function headStart(text: string): number {
  if (!text.startsWith(METHOD)) return -1;
  const end = text.indexOf('"', METHOD.length);
  if (end < 0 || text.charCodeAt(end - 1) === BACKSLASH) {
    return -1;
  }
  return text.startsWith(ARGUMENTS, end + 1) ? end + 1 + ARGUMENTS.length : -1;
}
