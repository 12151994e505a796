const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The maximum depth of arrays and objects in a text that is parsed. */
const PARSED_LEVELS = 4_096;

/**
 * True if a JSON text nests arrays and objects deeper than `most`. Scans the text before it is
 * parsed, about 1 ns per character; texts too short to nest that deep are not scanned.
 */
export function nestsDeeperThan(text: string, most: number): boolean {
  if (text.length <= 2 * most) return false;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        i = endOfString(text, i + 1);
        break;
      case OPEN_BRACKET:
      case OPEN_BRACE:
        if (++depth > most) return true;
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        depth--;
        break;
    }
  }
  return false;
}

/**
 * True if a JSON text nests so deep that it must not be parsed: parsing and encoding it would block
 * the process for seconds and take a hundred times its size in memory.
 *
 * Much cheaper than {@linkcode nestsDeeperThan} for texts with few arrays and objects, as nearly all
 * are. The limit of a kite is checked on what was parsed, so that the caller can be answered.
 */
export function isTooDeepToParse(text: string): boolean {
  return text.length > 2 * PARSED_LEVELS &&
    countReaches(text, "[", "{", PARSED_LEVELS) && nestsDeeperThan(text, PARSED_LEVELS);
}

/** True if a text contains two characters at least `count` times together. */
function countReaches(text: string, one: string, other: string, count: number): boolean {
  let found = 0;
  for (const character of [one, other]) {
    for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) {
      if (++found >= count) return true;
    }
  }
  return false;
}

/** Returns the index of the quote that ends a string beginning at `start`, or the text's length. */
function endOfString(text: string, start: number): number {
  for (let at = start;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let slashes = 0;
    while (quote - slashes > start && text.charCodeAt(quote - slashes - 1) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return quote;
    at = quote + 1;
  }
}
