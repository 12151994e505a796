import { type AnyErrorType, KiteError } from "../protocol/errors.ts";

/** The exit codes. */
export const EXIT = Object.freeze({
  ok: 0,
  /** Any other failure. */
  failed: 1,
  /** Invalid command line. */
  usage: 2,
  /** No kite matches, or no kite of that name is installed. */
  notFound: 3,
  /** A kite or Kontrol refused the authentication. */
  refused: 4,
  /** Kontrol or a kite cannot be reached, or did not answer in time. */
  unreachable: 5,
  /** Ended by Ctrl-C. */
  interrupted: 130,
  /** The reader of the output has closed it. */
  brokenPipe: 141,
});

const BY_TYPE: Readonly<Partial<Record<AnyErrorType, number>>> = Object.freeze({
  authenticationError: EXIT.refused,
  notAllowed: EXIT.refused,
  sendError: EXIT.unreachable,
  disconnect: EXIT.unreachable,
  timeout: EXIT.unreachable,
  aborted: EXIT.interrupted,
});

/** A failure with an exit code and a hint for the user. */
export class Failure extends Error {
  readonly code: number;
  /** A sentence or a command that helps. */
  readonly hint: string | undefined;

  constructor(message: string, options: { code?: number; hint?: string } = {}) {
    super(message);
    this.code = options.code ?? EXIT.failed;
    this.hint = options.hint;
  }
}

/** Returns the exit code for a thrown value; undefined for a bug, which is not caught. */
export function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof Failure) return error.code;
  if (error instanceof KiteError) return BY_TYPE[error.type] ?? EXIT.failed;
  return undefined;
}
