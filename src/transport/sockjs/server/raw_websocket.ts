import { readRaw, writeRaw } from "../../message.ts";
import type { TransportName } from "../../session.ts";
import { SocketSession } from "./socket_session.ts";

/** A session over a WebSocket without SockJS: one message per text. WebSocket pings detect silent peers. */
export class RawWebSocketServerSession extends SocketSession {
  readonly transport: TransportName = "rawWebSocket";

  protected read(text: string): void {
    this.deliver(text, readRaw(text));
  }

  protected write(messages: readonly string[]): void {
    writeRaw(messages, (text) => this.transmit(text));
  }

  protected greet(): void {}

  protected beat(): void {}

  protected farewell(): void {}
}
