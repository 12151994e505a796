/**
 * The command line of programs that developers run: `bench` and `soak`.
 *
 * @module
 */

/** A flag with a value that the program cannot use. */
export class WrongFlag extends Error {
  constructor(flag: string, value: unknown, rule: string) {
    super(`Cannot use ${flag} "${value}": ${rule}`);
  }
}

/**
 * Runs a program and exits with the code that it returns. Prints its usage for `--help`, and after
 * an error in its flags, which has exit code 2.
 */
export async function runProgram(
  usage: string,
  args: readonly string[],
  main: () => Promise<number>,
): Promise<never> {
  if (args.some((arg) => arg === "--help" || arg === "-help" || arg === "-h")) {
    console.log(usage);
    Deno.exit(0);
  }
  try {
    return Deno.exit(await main());
  } catch (error) {
    if (!(error instanceof Error) || !isWrongUse(error)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    return Deno.exit(2);
  }
}

/** Whether it is a wrong flag, found here or by `parseArgs`. */
function isWrongUse(error: Error): boolean {
  const code = "code" in error ? String(error.code) : "";
  return error instanceof WrongFlag || code.startsWith("ERR_PARSE_ARGS_");
}
