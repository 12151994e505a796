import { assertEquals, assertRejects } from "@std/assert";
import { openNativeSocket } from "../../../src/transport/websocket/native_socket.ts";
import {
  HandshakeRefused,
  type MessageSocket,
  type SocketHandler,
} from "../../../src/transport/websocket/socket.ts";
import { freePort } from "../../support/ports.ts";
import { frame, RawServer } from "./raw_server.ts";
import { startServer, within } from "../support.ts";

/** Writes down what a socket brings. */
class Listener implements SocketHandler {
  readonly texts: string[] = [];
  readonly opened: MessageSocket[] = [];
  readonly #text = Promise.withResolvers<void>();
  readonly #end = Promise.withResolvers<number>();
  onOpen(socket: MessageSocket): void {
    this.opened.push(socket);
  }
  onText(text: string): void {
    this.texts.push(text);
    this.#text.resolve();
  }
  onAlive(): void {}
  onClosing(): void {}
  onClose(code: number): void {
    this.#end.resolve(code);
  }
  text(): Promise<void> {
    return within(this.#text.promise, "a text");
  }
  closed(): Promise<number> {
    return within(this.#end.promise, "the end");
  }
}

function open(url: string, handler: SocketHandler, signal?: AbortSignal) {
  return openNativeSocket(new URL(url), {
    headers: new Headers(),
    ca: [],
    maxBytes: 1_000,
    outgoingBytes: 1_000,
    signal: signal ?? new AbortController().signal,
  }, handler);
}

Deno.test("native socket: sends and receives text, and closes with its code", async () => {
  await using server = startServer();
  const listener = new Listener();
  const socket = await open(`${server.url}/websocket`, listener);
  assertEquals(listener.opened, [socket]);
  socket.send("ünï");
  await listener.text();
  assertEquals(listener.texts, ["ünï"]);
  socket.close(4001, "é".repeat(200));
  assertEquals(await listener.closed(), 4001);
  socket.send("dropped");
});

Deno.test("native socket: a message over the limit ends it with 1009", async () => {
  await using server = startServer();
  const listener = new Listener();
  const socket = await open(`${server.url}/websocket`, listener);
  socket.send("x".repeat(1_001));
  assertEquals(await listener.closed(), 1009);
  assertEquals(listener.texts, []);
});

Deno.test("native socket: another server, or none, is refused", async () => {
  await using server = startServer({ rawWebSocket: false });
  for (const url of [`${server.url}/websocket`, `http://127.0.0.1:${freePort()}/kite`]) {
    await assertRejects(() => within(open(url, new Listener()), "the refusal"), HandshakeRefused);
  }
});

Deno.test("native socket: dialling stops when its signal is aborted", async () => {
  await using server = new RawServer((peer) => peer.drain());
  const controller = new AbortController();
  const opening = open(server.url, new Listener(), controller.signal);
  setTimeout(() => controller.abort(new Error("enough")), 20);
  await assertRejects(() => within(opening, "the end of the attempt"), Error, "enough");
});

Deno.test("native socket: close toward a silent peer ends within its timeout", async () => {
  await using server = new RawServer(async (peer) => {
    await peer.upgrade();
    await peer.write(frame(1, "hello"));
    await peer.drain();
  });
  const listener = new Listener();
  const socket = await open(server.url, listener);
  await listener.text();
  socket.close(1000, "");
  assertEquals(await listener.closed(), 1006);
});
