/** The routes of a SockJS server. `root` is the greeting, or a raw WebSocket for upgrade requests. */
export type RouteName =
  | "root"
  | "info"
  | "iframe"
  | "rawWebSocket"
  | "websocket"
  | "xhr"
  | "xhr_streaming"
  | "xhr_send"
  | "eventsource"
  | "htmlfile"
  | "jsonp"
  | "jsonp_send";

/** The route of a request. `session` is `""` on routes without a session. */
export interface Route {
  readonly name: RouteName;
  readonly session: string;
}

/** The methods of each route, as `Allow` lists them. */
export const METHODS: Readonly<Record<RouteName, readonly string[]>> = Object.freeze({
  root: ["GET", "HEAD"],
  info: ["OPTIONS", "GET", "HEAD"],
  iframe: ["GET", "HEAD"],
  rawWebSocket: ["GET"],
  websocket: ["GET"],
  xhr: ["OPTIONS", "POST"],
  xhr_streaming: ["OPTIONS", "POST"],
  xhr_send: ["OPTIONS", "POST"],
  eventsource: ["GET"],
  htmlfile: ["GET"],
  jsonp: ["GET"],
  jsonp_send: ["POST"],
});

const TRANSPORTS: ReadonlySet<string> = new Set<RouteName>([
  "websocket",
  "xhr",
  "xhr_streaming",
  "xhr_send",
  "eventsource",
  "htmlfile",
  "jsonp",
  "jsonp_send",
]);

const IFRAME = /^\/iframe[0-9a-zA-Z\-._]*\.html$/;
/** Neither part may contain a dot. Their lengths are limited, since the server stores session ids. */
const TRANSPORT = /^\/[^/.]{1,256}\/([^/.]{1,256})\/([a-z_]+)$/;

/** Finds the route of a path below the prefix; `undefined` if there is none. */
export function routeOf(path: string): Route | undefined {
  switch (path) {
    case "":
    case "/":
      return { name: "root", session: "" };
    case "/info":
      return { name: "info", session: "" };
    case "/websocket":
      return { name: "rawWebSocket", session: "" };
  }
  const [, session, name] = TRANSPORT.exec(path) ?? [];
  if (session !== undefined && name !== undefined && isTransport(name)) return { name, session };
  return IFRAME.test(path) ? { name: "iframe", session: "" } : undefined;
}

function isTransport(name: string): name is RouteName {
  return TRANSPORTS.has(name);
}
