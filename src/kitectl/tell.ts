import { type AddCommand, examples, readTime } from "./command.ts";
import type { Context } from "./context.ts";
import { EXIT, Failure } from "./exit_codes.ts";
import { addTargetOptions, explainRefusal, openTarget, type TargetOptions } from "./target.ts";
import { isStream, safeJson } from "./text.ts";
import { findStreams, readArguments } from "./values.ts";

interface TellOptions extends TargetOptions {
  readonly method?: string;
  readonly timeout: string;
  readonly json?: boolean;
  readonly follow?: boolean;
}

/** `kitectl tell`: calls a method of a kite, and prints its result, callbacks and streams. */
export const addTell: AddCommand = (program, context) => {
  const command = program.command("tell")
    .description("call a method of a kite")
    .argument("[method]", "the method")
    .argument("[args...]", "JSON, or else text; @callback is a function that prints its arguments");
  addTargetOptions(command)
    .option("--method <method>", "the method, as with Go's kitectl")
    .option("--timeout <time>", "how long to wait for the answer, such as 500ms or 2m", "15s")
    .option("--json", "print an object per line: {callback}, {item} or {result}")
    .option("--follow", "after the answer, print what callbacks get, until Ctrl-C")
    .addHelpText(
      "after",
      examples(
        `${context.program} tell --name math square 4`,
        `${context.program} tell --to http://localhost:3636/kite --timeout 2s divide '{"a": 6, "b": 3}'`,
        `${context.program} tell --name math countdown 3 @callback`,
      ),
    )
    .action((method: string | undefined, args: string[], options: TellOptions) => {
      const [name, words] = options.method === undefined
        ? [method, args]
        : [options.method, method === undefined ? args : [method, ...args]];
      return tell(context, name, words, options);
    });
};

async function tell(
  context: Context,
  method: string | undefined,
  words: readonly string[],
  options: TellOptions,
): Promise<void> {
  if (method === undefined) {
    throw new Failure("Cannot call: no method is given", { code: EXIT.usage });
  }
  const timeout = readTime("--timeout", options.timeout);
  const { screen, signal } = context;
  const indent = screen.isTerminal && options.json !== true ? 2 : 0;
  const print = (kind: "callback" | "item" | "result", value: unknown): void => {
    if (options.json === true) screen.print(safeJson({ [kind]: value }));
    else if (kind === "callback") screen.print(`callback ${safeJson(value)}`);
    else screen.print(safeJson(value, indent));
  };
  const args = readArguments(words, (...values) => print("callback", values));
  await using target = await openTarget(context, options, timeout);
  const { client } = target;
  const ended = Promise.withResolvers<void>();
  client.onDisconnect(() => ended.resolve());
  signal.addEventListener("abort", () => {
    client.close();
    ended.resolve();
  });
  try {
    const how = { timeout, signal, callbacks: "session" } as const;
    const result = await screen.whileWaiting(
      `Waiting for ${method}`,
      () => client.tellWith(how, method, ...args),
    );
    if (!isStream(result)) print("result", result);
    for (const stream of findStreams(result)) {
      for await (const item of stream) print("item", item);
    }
    if (options.follow === true) await ended.promise;
  } catch (error) {
    throw explainRefusal(error, target);
  }
}
