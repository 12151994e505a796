import { sha1Base64 } from "../../runtime/sha1.ts";
import { displayUrl } from "../url.ts";

/** The suffix that is appended to the key before hashing (RFC 6455 4.1). */
export const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MAX_HEAD_BYTES = 16_384;

/** The opening handshake of one WebSocket: creates the request and checks the answer. */
export class Handshake {
  /** The text of the request. */
  readonly request: string;
  readonly #accept: string;
  readonly #url: URL;
  #head = "";
  #status: number | undefined;

  constructor(url: URL, headers: Headers) {
    const key = base64(crypto.getRandomValues(new Uint8Array(16)));
    const all = new Headers(headers); // rejects line breaks in names and values
    all.delete("host");
    all.set("upgrade", "websocket");
    all.set("connection", "Upgrade");
    all.set("sec-websocket-version", "13");
    all.set("sec-websocket-key", key);
    all.delete("sec-websocket-extensions");
    all.delete("sec-websocket-protocol");
    let request = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n`;
    for (const [name, value] of all) request += `${titleCase(name)}: ${value}\r\n`;
    this.request = request + "\r\n";
    this.#accept = sha1Base64(key + ACCEPT_SUFFIX);
    this.#url = url;
  }

  /** The HTTP status of the answer; undefined until it has been received. */
  get status(): number | undefined {
    return this.#status;
  }

  /** The bytes of the request. */
  get requestBytes(): Uint8Array<ArrayBuffer> {
    return latin1Bytes(this.request);
  }

  /**
   * Adds bytes of the answer.
   *
   * @returns how many of `bytes` belong to the head of the answer, once it is complete and valid;
   * `undefined` while it is incomplete; a message if the handshake has failed
   */
  feed(bytes: Uint8Array): number | undefined | string {
    const before = this.#head.length;
    const room = MAX_HEAD_BYTES - before;
    this.#head += latin1(bytes.length > room ? bytes.subarray(0, room) : bytes);
    const end = this.#head.indexOf("\r\n\r\n", Math.max(0, before - 3));
    if (end >= 0) return this.#judge(this.#head.slice(0, end)) ?? end + 4 - before;
    if (!this.#head.startsWith("HTTP/1.".slice(0, this.#head.length))) {
      return this.#refusal("the answer is not HTTP/1");
    }
    return this.#head.length >= MAX_HEAD_BYTES
      ? this.#refusal("the head of the answer is too long")
      : undefined;
  }

  /** Returns the message for a connection that ends before the answer is complete. */
  ended(): string {
    return this.#refusal("the connection was closed during the handshake");
  }

  #judge(head: string): string | undefined {
    const [status = "", ...lines] = head.split("\r\n");
    const match = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(status);
    if (match === null) return this.#refusal("the answer is not HTTP/1");
    this.#status = Number(match[1]);
    if (match[1] !== "101") return this.#refusal(`HTTP status ${match[1]} instead of 101`);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(":");
      if (colon < 1) return this.#refusal("the answer has a malformed header");
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    if (headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return this.#refusal("the answer upgrades to another protocol");
    }
    const connection = headers.get("connection")?.toLowerCase().split(/\s*,\s*/) ?? [];
    if (!connection.includes("upgrade")) return this.#refusal("the answer does not upgrade");
    if (headers.get("sec-websocket-accept") !== this.#accept) {
      return this.#refusal("sec-websocket-accept does not match");
    }
    if (headers.has("sec-websocket-extensions") || headers.has("sec-websocket-protocol")) {
      return this.#refusal("the answer selects an extension or subprotocol that was not offered");
    }
    return undefined;
  }

  #refusal(why: string): string {
    return `Cannot open a WebSocket at ${displayUrl(this.#url)}: ${why}`;
  }
}

/** Capitalizes a header name, since some old servers compare names case-sensitively. */
function titleCase(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}

function base64(bytes: Uint8Array): string {
  return btoa(latin1(bytes));
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function latin1Bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
