import type { TransportName } from "../../session.ts";
import { cors, noCache, plain } from "./headers.ts";
import type { HttpSession } from "./http_session.ts";
import { ResponseReceiver, type Wrap } from "./response_receiver.ts";

/** How an HTTP transport sends frames to the client (docs/protocol.md §1). */
export interface Downstream {
  readonly transport: TransportName;
  readonly contentType: string;
  /** True if scripts of other origins may read the response. */
  readonly crossOrigin: boolean;
  /** True if the response is a script or a page that calls a function named by the request. */
  readonly hasCallback: boolean;
  /** Returns the beginning of a streaming response; `undefined` for responses of one frame. */
  readonly prelude?: (callback: string) => string;
  readonly wrap: (callback: string) => Wrap;
}

/** The route names of the transports that send frames in HTTP responses. */
export type DownstreamName = "xhr" | "xhr_streaming" | "eventsource" | "htmlfile" | "jsonp";

const SCRIPT = "application/javascript; charset=UTF-8";
/** Browsers do not process a response before about this many bytes have arrived. */
const XHR_PRELUDE = "h".repeat(2048) + "\n";
const HTML_PRELUDE_LENGTH = 1024;

/** The HTTP transports. */
export const DOWNSTREAM: Readonly<Record<DownstreamName, Downstream>> = Object.freeze({
  xhr: {
    transport: "XHRPolling",
    contentType: SCRIPT,
    crossOrigin: true,
    hasCallback: false,
    wrap: () => line,
  },
  xhr_streaming: {
    transport: "XHRStreaming",
    contentType: SCRIPT,
    crossOrigin: true,
    hasCallback: false,
    prelude: () => XHR_PRELUDE,
    wrap: () => line,
  },
  eventsource: {
    transport: "EventSource",
    contentType: "text/event-stream",
    crossOrigin: true,
    hasCallback: false,
    prelude: () => "\r\n",
    wrap: () => (frame) => `data: ${frame}\r\n\r\n`,
  },
  htmlfile: {
    transport: "HTMLFile",
    contentType: "text/html; charset=UTF-8",
    crossOrigin: false,
    hasCallback: true,
    prelude: (callback) => htmlHead(callback).padEnd(HTML_PRELUDE_LENGTH) + "\r\n\r\n",
    wrap: () => (frame) => `<script>\np(${scriptString(frame)});\n</script>\r\n`,
  },
  jsonp: {
    transport: "JSONPPolling",
    contentType: SCRIPT,
    crossOrigin: false,
    hasCallback: true,
    wrap: (callback) => (frame) => `/**/${callback}(${scriptString(frame)});\r\n`,
  },
});

/** Connects a request for frames to its session. */
export function receive(
  session: HttpSession,
  downstream: Downstream,
  callback: string,
  responseLimit: number,
): ResponseReceiver {
  const prelude = downstream.prelude?.(callback);
  const receiver = new ResponseReceiver(session, downstream.wrap(callback), prelude, responseLimit);
  session.connect(receiver);
  return receiver;
}

/** Returns the headers that all answers of a transport have. */
export function downstreamHeaders(request: Request, downstream: Downstream): Headers {
  const headers = new Headers();
  noCache(headers);
  if (downstream.crossOrigin) cors(headers, request);
  if (downstream.hasCallback) headers.set("x-content-type-options", "nosniff");
  return headers;
}

/** Returns the name of the function that the response calls, or the answer that refuses the request. */
export function callbackOf(search: URLSearchParams, headers: Headers): string | Response {
  const callback = search.get("c");
  if (callback === null || callback === "") {
    return plain(500, '"callback" parameter required\n', headers);
  }
  if (!/^[a-zA-Z0-9\-_.]{1,32}$/.test(callback)) {
    return plain(500, 'invalid "callback" parameter\n', headers);
  }
  return callback;
}

function line(frame: string): string {
  return frame + "\n";
}

/** Encodes a string literal that cannot end its script element. */
function scriptString(frame: string): string {
  return JSON.stringify(frame).replaceAll("<", "\\u003c");
}

function htmlHead(callback: string): string {
  return `<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.${callback};
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>`;
}
