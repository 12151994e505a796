import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { answerSocket } from "./answer.ts";
import type { Decision, ForwardingOptions } from "./types.ts";
import type { Upstreams } from "./upstream.ts";

/**
 * Forwards a WebSocket handshake. After the upstream has accepted it, bytes are copied both ways
 * without parsing. If one side reads slowly, the other one is paused.
 *
 * @param early bytes that the client sent after its handshake
 */
export function splice(
  client: Duplex,
  early: Uint8Array,
  decision: Decision & { kind: "forward" },
  upstreams: Upstreams,
  { limits, answerHeaders }: ForwardingOptions,
): void {
  const leave = decision.enter === undefined ? () => {} : decision.enter();
  if (leave === undefined) return answerSocket(client, 503, "The proxy is busy\n");
  let isSettled = false;
  const refuse = (status: number, text: string): void => {
    if (isSettled) return;
    isSettled = true;
    clearTimeout(timer);
    leave();
    answerSocket(client, status, text);
  };
  const timer = setTimeout(() => {
    refuse(504, "The kite did not answer the handshake in time\n");
    upstream?.destroy();
  }, limits.connectTimeout);
  let upstream: ReturnType<Upstreams["open"]> | undefined;
  try {
    upstream = upstreams.open(decision, undefined);
  } catch {
    return refuse(502, "The kite cannot be reached\n");
  }
  const request = upstream;
  request.on("error", () => refuse(502, "The kite cannot be reached\n"));
  client.on("error", () => client.destroy());
  client.once("close", () => {
    if (isSettled) return;
    refuse(499, "");
    request.destroy();
  });
  request.on("response", (incoming) => {
    const status = incoming.statusCode ?? 0;
    refuse(status >= 400 ? status : 502, "The kite refused the WebSocket\n");
    incoming.resume();
    request.destroy();
  });
  request.on("upgrade", (incoming: IncomingMessage, server: Socket, first: Uint8Array) => {
    if (isSettled) return void server.destroy();
    isSettled = true;
    clearTimeout(timer);
    client.write(switching(incoming, answerHeaders));
    if (first.length > 0) client.write(first);
    if (early.length > 0) server.write(early);
    join(client as Socket, server, limits.idleTimeout, leave);
  });
  request.end();
}

function switching(
  incoming: IncomingMessage,
  answerHeaders: ForwardingOptions["answerHeaders"],
): string {
  let head = `HTTP/1.1 101 ${STATUS_CODES[101]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`;
  const headers = answerHeaders(incoming.rawHeaders);
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return head + "\r\n";
}

/** Copies both ways until one side ends, or both are silent for too long. */
function join(client: Socket, server: Socket, idleTimeout: number, over: () => void): void {
  let isOver = false;
  let last = performance.now();
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    clearInterval(sweeper);
    // Pending bytes are still written, unless the peer does not read them.
    for (const socket of [client, server]) {
      socket.end();
      const timer = setTimeout(() => socket.destroy(), LINGER);
      socket.once("close", () => clearTimeout(timer));
    }
    over();
  };
  // One interval per connection: resetting a timer for every message would cost more than the copy.
  const sweeper = setInterval(() => {
    if (performance.now() - last >= idleTimeout) end();
  }, Math.max(10, idleTimeout / 4));
  const copy = (from: Socket, to: Socket): void => {
    from.setNoDelay(true);
    from.on("data", (bytes: Uint8Array) => {
      last = performance.now();
      if (!to.write(bytes)) from.pause();
    });
    to.on("drain", () => {
      last = performance.now();
      from.resume();
    });
    from.once("end", end);
    from.once("close", end);
    from.on("error", () => from.destroy());
  };
  copy(client, server);
  copy(server, client);
}

/** Milliseconds for a peer to read the last bytes. */
const LINGER = 2_000;
