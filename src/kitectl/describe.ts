import type { MethodDescription } from "../contract/describe.ts";
import { contractSource, typeSource } from "../contract/typescript.ts";
import { KiteError } from "../protocol/errors.ts";
import { type AddCommand, examples, readTime } from "./command.ts";
import type { Context } from "./context.ts";
import { Failure } from "./exit_codes.ts";
import { addTargetOptions, explainRefusal, openTarget, type TargetOptions } from "./target.ts";
import { safeJson } from "./text.ts";

interface DescribeOptions extends TargetOptions {
  readonly timeout: string;
  readonly types?: boolean;
  readonly json?: boolean;
}

/** `kitectl describe`: prints the methods of a kite. */
export const addDescribe: AddCommand = (program, context) => {
  const command = program.command("describe").description("list the methods of a kite");
  addTargetOptions(command)
    .option("--timeout <time>", "how long to wait for the answer", "15s")
    .option("--types", "print a contract in TypeScript")
    .option("--json", "print JSON, with the JSON Schema of each argument and result")
    .addHelpText(
      "after",
      examples(
        `${context.program} describe --name math`,
        `${context.program} describe --to http://localhost:3636/kite --types > math.ts`,
      ),
    )
    .action((options: DescribeOptions) => describe(context, options));
};

async function describe(context: Context, options: DescribeOptions): Promise<void> {
  const { screen, signal } = context;
  const timeout = readTime("--timeout", options.timeout);
  await using target = await openTarget(context, options, timeout);
  let answer: unknown;
  try {
    answer = await screen.whileWaiting(
      "Waiting for the description",
      () => target.client.tellWith({ timeout, signal }, "kite.describe"),
    );
  } catch (error) {
    if (error instanceof KiteError && error.type === "methodNotFound") {
      throw new Failure("Cannot describe the kite: it has no method kite.describe", {
        hint: "Go kites and kite.js cannot describe themselves",
      });
    }
    throw explainRefusal(error, target);
  }
  const methods = readMethods(answer);
  if (options.json === true) return screen.print(safeJson({ methods }, 2));
  if (options.types === true) {
    const name = target.client.identity?.name ?? options.name ?? "kite";
    return screen.print(contractSource(constantName(name), methods).trimEnd());
  }
  screen.printTable(
    ["method", "authentication"],
    methods.map((method) => [signature(method), method.authentication ? "yes" : "no"]),
  );
}

/** Reads a description. It comes from a remote, so entries with an invalid shape are dropped. */
function readMethods(answer: unknown): MethodDescription[] {
  const { methods } = (answer ?? {}) as { methods?: unknown };
  if (!Array.isArray(methods)) {
    throw new KiteError("invalidResponse", "Cannot read the description: it has no methods");
  }
  return methods.flatMap((each: unknown) => {
    const { name, authentication } = (each ?? {}) as Partial<MethodDescription>;
    if (typeof name !== "string") return [];
    return [{ ...each as object, name, authentication: authentication === true }];
  });
}

function signature({ name, args, result, items }: MethodDescription): string {
  if (!Array.isArray(args)) return `${name}(…)`;
  const types = args.map((schema) => typeSource(schema)).join(", ");
  return `${name}(${types}): ${
    items === undefined ? typeSource(result) : `stream of ${typeSource(items)}`
  }`;
}

/** Returns the name of the constant for a kite's contract. */
function constantName(name: string): string {
  const letters = name.replace(/[^A-Za-z0-9_$]+(.)?/g, (_, next = "") => next.toUpperCase());
  return `${/^[A-Za-z_$]/.test(letters) ? letters : `kite${letters}`}Contract`;
}
