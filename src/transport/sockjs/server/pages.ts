import { cors, longCache, noCache, plain } from "./headers.ts";

/** Answers `GET /`. */
export function greeting(): Response {
  return plain(200, "Welcome to SockJS!\n");
}

/** Answers `GET /info`: the server's features, and a random number for old browsers. */
export function info(request: Request, websocket: boolean, cookieNeeded: boolean): Response {
  const headers = new Headers({ "content-type": "application/json; charset=UTF-8" });
  cors(headers, request);
  noCache(headers);
  const [entropy] = crypto.getRandomValues(new Uint32Array(1));
  const body = { websocket, origins: ["*:*"], cookie_needed: cookieNeeded, entropy };
  return new Response(JSON.stringify(body), { headers });
}

/** Answers `GET /iframe*.html`: the page through which old browsers connect to another domain. */
export class IframePage {
  readonly #page: string;
  readonly #etag: string;

  /** @param clientUrl the URL of the SockJS client */
  constructor(clientUrl: string) {
    this.#page = `<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="${attribute(clientUrl)}"></script>
  <script>
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  </script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>
`;
    this.#etag = `"${fingerprint(this.#page)}"`;
  }

  answer(request: Request): Response {
    const headers = new Headers({ etag: this.#etag });
    longCache(headers);
    if (this.#isKnown(request.headers.get("if-none-match"))) {
      return new Response(null, { status: 304, headers });
    }
    headers.set("content-type", "text/html; charset=UTF-8");
    return new Response(this.#page, { headers });
  }

  /** Ignores the mark of weak tags, which a server adds when it compresses the page. */
  #isKnown(ifNoneMatch: string | null): boolean {
    if (ifNoneMatch === null) return false;
    const tags = ifNoneMatch.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
    return tags.includes(this.#etag) || tags.includes("*");
  }
}

function attribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
}

/** FNV-1a, 32 bits. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}
