import { EncodedText } from "../transport/encoded_text.ts";
import { canText } from "./dnode_codec.ts";
import { EncodedResult } from "./encoded_result.ts";
import type { MessageSender } from "./message_sender.ts";

/**
 * A result that a handler of this library returns as encoded JSON. The text is escaped for the inside of
 * a JSON string, since most transports send it there, and is written to the answer unchanged. It must
 * contain no functions and be within the limit `messageBytes`.
 */
export class RawJson extends EncodedResult {
  readonly #escaped: EncodedText;

  /** @param escaped JSON, escaped for the inside of a JSON string; not checked */
  constructor(escaped: EncodedText | string) {
    super();
    this.#escaped = typeof escaped === "string" ? EncodedText.of(escaped) : escaped;
  }

  override send(sender: MessageSender, responseId: number, can: string | undefined): void {
    const { compact, session, limits } = sender;
    if (can === undefined && compact !== undefined && sender.codec === compact) {
      return sender.sendPlain(compact.rawResult(responseId, this.#json()));
    }
    const head = `{\\"method\\":${responseId},\\"arguments\\":[{\\"error\\":null,\\"result\\":`;
    const tail = `${canText(can).replaceAll('"', '\\"')}}],\\"callbacks\\":{}}`;
    const text = this.#escaped.within(head, tail);
    if (session.sendEscaped === undefined || text.byteLength > limits.messageBytes) {
      return sender.sendPlain(JSON.parse(`"${text}"`));
    }
    sender.hadMessage = true;
    session.sendEscaped(text);
  }

  /** Returns the decoded value, for functions that inspect results, and inside other values. */
  toJSON(): unknown {
    return JSON.parse(this.#json());
  }

  #json(): string {
    return JSON.parse(`"${this.#escaped}"`);
  }
}
