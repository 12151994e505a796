import { runProgram } from "../runtime/child.ts";
import { type AddCommand, examples } from "./command.ts";
import { findInstalled } from "./installed.ts";

/** `kitectl run`: runs an installed kite on this terminal, and exits with its exit code. */
export const addRun: AddCommand = (program, context, end) => {
  program.command("run")
    .description("run an installed kite; the exit code is its own")
    .argument("<kite>", "its name, such as fs or github.com/koding/fs.kite/1.0.0")
    .argument("[args...]", "arguments of the kite")
    .passThroughOptions()
    .addHelpText(
      "after",
      examples(`${context.program} run fs`, `${context.program} run fs -port 3636`),
    )
    .action(async (name: string, args: string[]) => {
      const kite = await findInstalled(name);
      end(await runProgram(kite.program, args, context.ignoreInterrupt));
    });
};
