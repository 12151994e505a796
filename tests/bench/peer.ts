/** The common start of all measured Deno processes. */

/** Milliseconds after which a measured process exits, even if the bench has crashed. */
const LIFETIME = 120_000;

/** The `--name=value` pairs of a measured process. */
export class PeerOptions {
  readonly #values = new Map<string, string>();

  constructor(words: readonly string[]) {
    for (const word of words) {
      const [, name, value] = /^--([a-z]+)=(.*)$/s.exec(word) ?? [];
      if (name === undefined || value === undefined) {
        throw new Error(`"${word}" is not of the form --name=value`);
      }
      this.#values.set(name, value);
    }
  }

  /** The text of an option that may be missing. */
  find(name: string): string | undefined {
    return this.#values.get(name);
  }

  /**
   * The text of an option.
   *
   * @throws when it is missing
   */
  text(name: string): string {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`--${name}=… is missing`);
    return value;
  }

  /**
   * A number.
   *
   * @throws when it is missing or no finite number
   */
  number(name: string): number {
    const value = Number(this.text(name));
    if (!Number.isFinite(value)) throw new Error(`--${name} is "${this.text(name)}", not a number`);
    return value;
  }
}

/**
 * Bounds the life of a server process (it also ends with its stdin) and lets the bench ask it for a
 * garbage collection (SIGWINCH, with `--v8-flags=--expose-gc`: ignored where nobody listens;
 * SIGUSR1 starts a debugger).
 *
 * @returns its options and the port it is to listen on
 */
export function preparePeer(): { readonly options: PeerOptions; readonly port: number } {
  const options = new PeerOptions(Deno.args);
  boundLifetime();
  void Deno.stdin.readable.pipeTo(new WritableStream()).then(() => Deno.exit(0));
  const { gc } = globalThis as { gc?: (how: Readonly<Record<string, string>>) => void };
  if (gc !== undefined) {
    // Gives free pages back to the system, which a garbage collection of the usual kind does later.
    Deno.addSignalListener("SIGWINCH", () => gc({ type: "major", flavor: "last-resort" }));
  }
  return { options, port: options.number("port") };
}

/** Ends the process after {@linkcode LIFETIME}, with a failure. */
export function boundLifetime(): void {
  Deno.unrefTimer(setTimeout(() => Deno.exit(70), LIFETIME));
}
