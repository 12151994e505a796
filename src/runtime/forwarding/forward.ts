import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { setImmediate } from "node:timers";
import { answer } from "./answer.ts";
import type { Decision, ForwardingOptions } from "./types.ts";
import type { Upstreams } from "./upstream.ts";

/**
 * Forwards a request to an upstream and streams its answer back. If one side reads slowly, the other
 * one is paused.
 */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  decision: Decision & { kind: "forward" },
  upstreams: Upstreams,
  { limits, answerHeaders }: ForwardingOptions,
): void {
  const leave = decision.enter === undefined ? () => {} : decision.enter();
  if (leave === undefined) return answer(response, 503, "The proxy is busy\n");
  let upstream: ClientRequest;
  try {
    upstream = upstreams.open(decision, request.method ?? "GET");
  } catch {
    leave();
    return answer(response, 502, "The kite cannot be reached\n");
  }
  let answered: IncomingMessage | undefined;
  let isOver = false;
  const end = (status: number, text: string): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(connecting);
    leave();
    if (!response.headersSent) answer(response, status, text);
    else if (!response.writableFinished) response.destroy();
    // After a complete answer, the connection is kept for the next request.
    if (!answered?.complete) upstream.destroy();
  };
  const connecting = setTimeout(
    () => end(504, "The kite did not accept the connection in time\n"),
    limits.connectTimeout,
  );
  upstream.on("socket", (socket) => {
    if (!socket.connecting) return clearTimeout(connecting);
    socket.once("connect", () => clearTimeout(connecting));
  });
  upstream.setTimeout(limits.idleTimeout, () => end(504, "The kite did not answer in time\n"));
  upstream.on("error", () => end(502, "The kite cannot be reached\n"));
  upstream.on("response", (incoming) => {
    clearTimeout(connecting);
    if (isOver) return void incoming.destroy();
    answered = incoming;
    const headers = answerHeaders(incoming.rawHeaders);
    response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, headers);
    // A head that comes with its body leaves with it; one whose body is still to come does not wait.
    let hasBody = false;
    incoming.once("data", () => hasBody = true);
    setImmediate(() => hasBody || response.writableEnded || response.flushHeaders());
    incoming.on("error", () => end(502, ""));
    incoming.on("aborted", () => end(502, ""));
    incoming.pipe(response);
  });
  response.on("close", () => end(499, ""));
  request.on("error", () => end(400, ""));
  request.pipe(upstream);
}
