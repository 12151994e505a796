import {
  decodeUpstream,
  encodeClose,
  encodeMessages,
  frameEscaped,
  HEARTBEAT_FRAME,
  OPEN_FRAME,
} from "../frames.ts";
import type { CloseInfo, TransportName } from "../../session.ts";
import { forEachBatch } from "./batches.ts";
import { SocketSession } from "./socket_session.ts";

const BROKEN_FRAMING: CloseInfo = Object.freeze({ code: 1002, reason: "Broken framing" });

/** Frames of several messages stay well below what a peer with the same limits reads. */
const FRAMES_PER_MESSAGE = 4;

/** SockJS over WebSocket: one `a` frame a turn. */
export class WebSocketServerSession extends SocketSession {
  readonly transport: TransportName = "WebSocket";

  protected read(text: string): void {
    const messages = decodeUpstream(text);
    if (messages === undefined) {
      this.stop(BROKEN_FRAMING);
    } else {
      this.deliver(messages);
    }
  }

  protected write(messages: readonly string[]): void {
    const limit = this.host.limits.messageBytes / FRAMES_PER_MESSAGE;
    forEachBatch(messages, limit, (batch) => {
      this.transmit(encodeMessages(batch));
    });
  }

  protected override writeEscaped(escaped: string): void {
    this.transmit(frameEscaped(escaped));
  }

  protected greet(): void {
    this.transmit(OPEN_FRAME);
  }

  protected beat(): void {
    this.transmit(HEARTBEAT_FRAME);
  }

  protected farewell(info: CloseInfo): void {
    // Who breaks the framing is not answered within it.
    if (info !== BROKEN_FRAMING) this.transmit(encodeClose(info.code, info.reason));
  }
}
