/**
 * The first credit of a stream travels with the request if the caller knows that a stream comes, which
 * saves a round trip (docs/protocol.md §9).
 */

import type { KiteError } from "../protocol/errors.ts";
import type { MessageSender } from "./message_sender.ts";
import type { TellOptions } from "./remote.ts";

/** The metadata that holds the credit and the ids of the two functions. */
export const FIRST_CREDIT = "kite.stream";

/** An option of a call whose answer should be a stream. Only the library can set it. */
export const EXPECTS_STREAM: unique symbol = Symbol("expectsStream");

/** The options of a call whose answer should be a stream. */
export interface ExpectsStream extends TellOptions {
  readonly [EXPECTS_STREAM]?: ExpectStream | undefined;
}

/**
 * Begins a call whose answer should be a stream, see `expectStream`.
 *
 * @param resolve resolves the caller's promise
 * @param call sends the call with the text of a first credit, and settles it with its result
 * @returns the error if the call could not be sent
 */
export type ExpectStream = (
  sender: MessageSender,
  resolve: (result: unknown) => void,
  call: (credit: string, settle: (result: unknown) => void) => KiteError | undefined,
) => KiteError | undefined;

/** What a caller allows before it has seen the stream. */
export interface FirstCredit {
  /** Items that may be sent. */
  readonly credit: number;
  /** The id of the function that takes items. */
  readonly next: number;
  /** The id of the function that takes the end. */
  readonly end: number;
}

/** The text of a first credit. */
export function writeFirstCredit({ credit, next, end }: FirstCredit): string {
  return `${credit} ${next} ${end}`;
}

/**
 * Reads a first credit.
 *
 * @param text as it came, unchecked
 * @returns undefined if it is none
 */
export function readFirstCredit(text: string | undefined): FirstCredit | undefined {
  const [, credit, next, end] = /^(\d{1,9}) (\d{1,15}) (\d{1,15})$/.exec(text ?? "") ?? [];
  if (credit === undefined) return undefined;
  return { credit: Number(credit), next: Number(next), end: Number(end) };
}
