import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** Milliseconds for a client to read a refusal. */
const REFUSAL_TIMEOUT = 2_000;

/** Answers a request with a short text, and ends its connection, since an unread body may follow. */
export function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, [
    ...["content-type", "text/plain; charset=UTF-8"],
    ...["content-length", String(new TextEncoder().encode(text).length)],
    ...["cache-control", "no-store", "connection", "close"],
  ]);
  response.end(text);
}

/** Writes an HTTP answer to a socket, and ends it. */
export function answerSocket(socket: Duplex, status: number, text: string): void {
  const length = new TextEncoder().encode(text).length;
  socket.on("error", () => socket.destroy());
  if (!socket.writable) return void socket.destroy();
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Refused"}\r\n` +
      `Content-Type: text/plain; charset=UTF-8\r\nContent-Length: ${length}\r\n` +
      `Connection: close\r\n\r\n${text}`,
  );
  const timer = setTimeout(() => socket.destroy(), REFUSAL_TIMEOUT);
  socket.once("close", () => clearTimeout(timer));
  socket.resume();
}
