import { canText } from "./dnode_codec.ts";
import { EncodedResult } from "./encoded_result.ts";
import type { MessageSender } from "./message_sender.ts";

/**
 * A result that a handler of this library returns as encoded JSON. The text is escaped for the inside of
 * a JSON string, since most transports send it there, and is written to the answer unchanged. It must
 * contain no functions and be within the limit `messageBytes`.
 */
export class RawJson extends EncodedResult {
  readonly #escaped: string;

  /** @param escaped JSON, escaped for the inside of a JSON string; not checked */
  constructor(escaped: string) {
    super();
    this.#escaped = escaped;
  }

  override send(sender: MessageSender, responseId: number, can: string | undefined): void {
    const { compact } = sender;
    if (can === undefined && compact !== undefined && sender.codec === compact) {
      sender.sendPlain(compact.rawResult(responseId, this.#json()));
    } else {
      const head = `{\\"method\\":${responseId},\\"arguments\\":[{\\"error\\":null,\\"result\\":`;
      const tail = `${canText(can).replaceAll('"', '\\"')}}],\\"callbacks\\":{}}`;
      sender.sendEscaped(head + this.#escaped + tail);
    }
  }

  /** Returns the decoded value, for functions that inspect results, and inside other values. */
  toJSON(): unknown {
    return JSON.parse(this.#json());
  }

  #json(): string {
    return JSON.parse(`"${this.#escaped}"`);
  }
}
