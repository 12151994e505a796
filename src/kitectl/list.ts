import { type AddCommand, examples } from "./command.ts";
import type { Context } from "./context.ts";
import { installedKites } from "./installed.ts";
import { safeJson } from "./text.ts";

/** `kitectl list`: prints the installed kites. */
export const addList: AddCommand = (program, context) => {
  program.command("list")
    .description("list the installed kites")
    .option("--json", "print an object per line")
    .addHelpText("after", examples(`${context.program} list`))
    .action((options: { readonly json?: boolean }) => list(context, options));
};

async function list({ screen }: Context, { json = false }: { json?: boolean }): Promise<void> {
  for (const { name, version, program } of await installedKites()) {
    screen.print(json ? safeJson({ name, version, program }) : name);
  }
}
