import { KiteError } from "../protocol/errors.ts";

/** The used part of the standard input stream. */
export interface InputStream {
  readonly isTTY?: boolean;
  readonly readableEnded?: boolean;
  setRawMode?(isRaw: boolean): unknown;
  read(): string | Uint8Array | null;
  unshift(rest: Uint8Array): void;
  on(event: "readable" | "end" | "error", listener: (error?: unknown) => void): unknown;
  off(event: "readable" | "end" | "error", listener: (error?: unknown) => void): unknown;
  listenerCount(event: "readable"): number;
  pause(): unknown;
  ref?(): unknown;
  unref?(): unknown;
}

/** Options of {@linkcode readLine}. */
export interface LineOptions {
  /** Do not show the input on a terminal. */
  readonly isHidden: boolean;
  /** Aborts reading. */
  readonly signal: AbortSignal;
}

const LONGEST_LINE = 65_536;
const BYTE = Object.freeze({
  interrupt: 0x03,
  end: 0x04,
  backspace: 0x08,
  newline: 0x0a,
  return: 0x0d,
  clear: 0x15,
  delete: 0x7f,
});

/**
 * Reads one line, without its line break. Further input stays in the stream for the next reader.
 *
 * @throws {KiteError} `genericError` if another reader is active or the input has ended, `aborted`
 * after Ctrl-C, `limitError` for a line of more than 64 KiB; the reason of the signal if aborted
 */
export async function readLine(
  input: InputStream,
  { isHidden, signal }: LineOptions,
): Promise<string> {
  if (input.listenerCount("readable") > 0) {
    throw new KiteError(
      "genericError",
      "Cannot read a line: another question is waiting for an answer",
    );
  }
  const isRaw = isHidden && input.isTTY === true;
  const line = new LineBuffer(isRaw);
  return await new Promise((resolve, reject) => {
    const onReadable = (): void => {
      for (let chunk = input.read(); chunk !== null; chunk = input.read()) {
        const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
        const used = line.take(bytes);
        const isOver = line.isComplete || line.problem !== undefined;
        // Remove the listeners first, since `unshift` would call them.
        if (isOver) finish();
        if (used < bytes.length) input.unshift(bytes.subarray(used));
        if (line.problem !== undefined) return reject(line.problem);
        if (isOver) return resolve(line.text());
      }
    };
    const onEnd = (): void => {
      finish();
      if (line.length > 0) resolve(line.text());
      else reject(new KiteError("genericError", "Cannot read a line: standard input has ended"));
    };
    const onError = (cause: unknown): void => {
      finish();
      reject(new KiteError("genericError", "Cannot read a line: standard input failed", { cause }));
    };
    const onAbort = (): void => {
      finish();
      reject(signal.reason);
    };
    const finish = (): void => {
      input.off("readable", onReadable);
      input.off("end", onEnd);
      input.off("error", onError);
      signal.removeEventListener("abort", onAbort);
      if (isRaw) input.setRawMode?.(false);
      input.pause();
      // An unanswered question must not keep the program alive. (With a pipe, Deno keeps it alive
      // until data arrives or the pipe is closed.)
      input.unref?.();
    };

    if (isRaw) input.setRawMode?.(true);
    input.ref?.();
    input.on("end", onEnd);
    input.on("error", onError);
    signal.addEventListener("abort", onAbort);
    input.on("readable", onReadable);
    // There is no event for input that is already buffered, or for an input that has ended before.
    onReadable();
    if (input.readableEnded === true) onEnd();
  });
}

/** Collects the pieces of a line. On a raw terminal, it also handles the editing keys. */
class LineBuffer {
  readonly #bytes: number[] = [];
  readonly #isRaw: boolean;
  isComplete = false;
  problem: KiteError | undefined;

  constructor(isRaw: boolean) {
    this.#isRaw = isRaw;
  }

  get length(): number {
    return this.#bytes.length;
  }

  text(): string {
    return new TextDecoder().decode(Uint8Array.from(this.#bytes));
  }

  /**
   * Adds bytes up to the end of the line.
   *
   * @returns the number of bytes used
   */
  take(bytes: Uint8Array): number {
    for (const [index, byte] of bytes.entries()) {
      this.#takeByte(byte);
      if (this.isComplete || this.problem !== undefined) return index + 1;
    }
    return bytes.length;
  }

  #takeByte(byte: number): void {
    if (byte === BYTE.newline || (this.#isRaw && byte === BYTE.return)) {
      this.isComplete = true;
      if (this.#bytes.at(-1) === BYTE.return) this.#bytes.pop();
    } else if (this.#isRaw && this.#takeKey(byte)) {
      return;
    } else if (this.#bytes.length === LONGEST_LINE) {
      this.problem = new KiteError(
        "limitError",
        `Cannot read a line: longer than ${LONGEST_LINE} bytes`,
      );
    } else {
      this.#bytes.push(byte);
    }
  }

  #takeKey(byte: number): boolean {
    if (byte === BYTE.interrupt || (byte === BYTE.end && this.length === 0)) {
      this.problem = new KiteError("aborted", "Cannot read a line: interrupted by the user");
    } else if (byte === BYTE.backspace || byte === BYTE.delete) {
      this.#removeCharacter();
    } else if (byte === BYTE.clear) {
      this.#bytes.length = 0;
    } else {
      return byte === BYTE.end;
    }
    return true;
  }

  /** Removes the last UTF-8 character: all bytes of the form 10xxxxxx, and the byte before them. */
  #removeCharacter(): void {
    let last = this.#bytes.pop();
    while (last !== undefined && (last & 0b1100_0000) === 0b1000_0000) last = this.#bytes.pop();
  }
}
