const METHOD = '{"method":"';
const ARGUMENTS = ',"arguments":[{';
const BACKSLASH = 0x5c;

/** After so many requests whose text is not of the usual form, a peer's heads are not looked at. */
const PATIENCE = 4;

/**
 * Remembers the part that all requests of a caller share, identity and token, so that this kilobyte
 * is parsed once and not with every call.
 *
 * Sound because the remembered text is exactly two members, `kite` and `authentication`, that were
 * parsed at this very place before: cutting them out of a later request and adding their values to
 * what the rest gives is the same as parsing it whole. A later duplicate of a member wins, as in JSON.
 */
export class HeadMemo {
  #text = "";
  #kite: unknown;
  #authentication: unknown;
  #patience = PATIENCE;

  /** The remembered `kite`. */
  get kite(): unknown {
    return this.#kite;
  }

  /** The remembered `authentication`. */
  get authentication(): unknown {
    return this.#authentication;
  }

  /** The message without its head if that is the remembered one, else undefined. */
  reduce(text: string): string | undefined {
    if (this.#text === "") return undefined;
    const start = headStart(text);
    if (start < 0 || !text.startsWith(this.#text, start)) return undefined;
    return text.slice(0, start) + text.slice(start + this.#text.length);
  }

  /** Remembers the head of a message that was parsed whole. */
  learn(text: string, method: string, kite: unknown, authentication: unknown): void {
    if (this.#patience === 0) return;
    const start = METHOD.length + method.length + 1 + ARGUMENTS.length;
    if (headStart(text) === start) {
      const head = headText(kite, authentication);
      if (text.startsWith(head, start)) {
        this.#text = head;
        this.#kite = kite;
        this.#authentication = authentication;
        this.#patience = PATIENCE;
        return;
      }
    }
    this.#patience--;
  }
}

function headText(kite: unknown, authentication: unknown): string {
  return `"kite":${JSON.stringify(kite)},"authentication":${JSON.stringify(authentication)},`;
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
