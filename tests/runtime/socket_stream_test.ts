import { assertEquals } from "@std/assert";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { SocketStream } from "../../src/runtime/socket_stream.ts";

class FakeSocket extends EventEmitter {
  isDestroyed = false;

  destroy(): void {
    this.isDestroyed = true;
  }
}

Deno.test("SocketStream: a peer that ends its side is left, unless the handler goes on", () => {
  for (const goesOn of [false, true]) {
    const socket = new FakeSocket();
    let ended = 0;
    new SocketStream(socket as unknown as Socket, {
      onData: () => {},
      onEnd: () => {},
      ...(goesOn ? { onPeerEnd: () => void ended++ } : {}),
    });
    socket.emit("end");
    assertEquals([socket.isDestroyed, ended], goesOn ? [false, 1] : [true, 0]);
  }
});
