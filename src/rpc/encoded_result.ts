import type { MessageSender } from "./message_sender.ts";

/**
 * A result that a handler of this library has encoded itself. Values of remotes and users are never
 * mistaken for one.
 */
export abstract class EncodedResult {
  /** Only objects that this constructor has made have it. */
  readonly #isEncoded = true;

  /** True for a result that is already encoded. */
  static is(value: unknown): value is EncodedResult {
    return typeof value === "object" && value !== null && #isEncoded in value;
  }

  /**
   * Sends the result as the answer to a request.
   *
   * @param can the names of this side's extensions as JSON, if they were not sent yet
   * @throws {KiteError} `limitError`
   */
  abstract send(sender: MessageSender, responseId: number, can: string | undefined): void;
}
