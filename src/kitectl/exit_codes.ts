import { type AnyErrorType, KiteError } from "../protocol/errors.ts";

/** What the exit codes mean. */
export const EXIT = Object.freeze({
  ok: 0,
  /** Something else failed. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** No kite matches, or nothing of that name is installed. */
  notFound: 3,
  /** A kite or Kontrol refused our authentication. */
  refused: 4,
  /** Kontrol or a kite cannot be reached, or did not answer in time. */
  unreachable: 5,
  /** Ended by Ctrl-C. */
  interrupted: 130,
  /** Nobody reads the output anymore. */
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

/** A failure with an exit code, and what the user can do about it. */
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

/** The exit code for what a command threw; undefined for a bug, which is not caught. */
export function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof Failure) return error.code;
  if (error instanceof KiteError) return BY_TYPE[error.type] ?? EXIT.failed;
  return undefined;
}
