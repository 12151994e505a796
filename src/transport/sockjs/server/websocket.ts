import {
  decodeUpstream,
  encodeClose,
  encodeMessages,
  ESCAPED_HEAD,
  ESCAPED_TAIL,
  HEARTBEAT_FRAME,
  OPEN_FRAME,
} from "../frames.ts";
import type { EncodedText } from "../../encoded_text.ts";
import type { CloseInfo, TransportName } from "../../session.ts";
import { forEachBatch } from "./batches.ts";
import { SocketSession } from "./socket_session.ts";

const BROKEN_FRAMING: CloseInfo = Object.freeze({ code: 1002, reason: "Broken framing" });

/** The part of `messageBytes` that a frame of several messages may use, well below a peer's limit. */
const FRAMES_PER_MESSAGE = 4;

/** A session of SockJS over WebSocket. It sends one `a` frame per turn. */
export class WebSocketServerSession extends SocketSession {
  readonly transport: TransportName = "WebSocket";

  protected read(text: string): void {
    const messages = decodeUpstream(text);
    if (messages === undefined) {
      this.stop(BROKEN_FRAMING);
    } else {
      this.deliver(text, messages);
    }
  }

  protected write(messages: readonly string[]): void {
    const limit = this.host.limits.messageBytes / FRAMES_PER_MESSAGE;
    forEachBatch(messages, limit, (batch) => {
      this.transmit(encodeMessages(batch));
    });
  }

  protected override writeEscaped(escaped: EncodedText): void {
    this.transmit(escaped.within(ESCAPED_HEAD, ESCAPED_TAIL));
  }

  protected greet(): void {
    this.transmit(OPEN_FRAME);
  }

  protected beat(): void {
    this.transmit(HEARTBEAT_FRAME);
  }

  protected farewell(info: CloseInfo): void {
    // A peer with broken framing may not understand a SockJS frame.
    if (info !== BROKEN_FRAMING) this.transmit(encodeClose(info.code, info.reason));
  }
}
