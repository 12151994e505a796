/**
 * The first credit of a stream travels with the request if the caller knows that a stream comes, which
 * saves a round trip (docs/protocol.md §9).
 */

/** The metadata that holds the credit and the ids of the two functions. */
export const FIRST_CREDIT = "kite.stream";

/** Marks the options of a call whose answer should be a stream. Only the library can set it. */
export const EXPECTS_STREAM: unique symbol = Symbol("expectsStream");

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
