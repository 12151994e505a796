import { Command } from "commander";
import { addCompletions } from "./completions.ts";
import { type AddCommand, examples, readGiven } from "./command.ts";
import { unknownName } from "../protocol/refusal.ts";
import { VERSION } from "../protocol/package_version.ts";
import type { Context } from "./context.ts";
import { addDescribe } from "./describe.ts";
import { addDoctor } from "./doctor.ts";
import { addInstall } from "./install.ts";
import { addInvite } from "./invite.ts";
import { addKey } from "./key.ts";
import { addList } from "./list.ts";
import { addQuery } from "./query.ts";
import { addRegister } from "./register.ts";
import { addRun } from "./run.ts";
import { addShowkey } from "./showkey.ts";
import { addTell } from "./tell.ts";
import { addUninstall } from "./uninstall.ts";
import { addUp } from "./up.ts";
import { addUser } from "./user.ts";

const COMMANDS: readonly AddCommand[] = Object.freeze([
  addUp,
  addDoctor,
  addRegister,
  addShowkey,
  addUser,
  addInvite,
  addKey,
  addQuery,
  addTell,
  addDescribe,
  addList,
  addRun,
  addInstall,
  addUninstall,
  addCompletions,
]);

const EXIT_CODES = `
Exit codes:
  0 done  1 failed  2 wrong usage  3 nothing found  4 refused  5 unreachable
  130 ended by Ctrl-C  141 nobody reads the output`;

/**
 * Creates the command line parser.
 *
 * @param end called with the exit code of a command that fails without throwing
 */
export function createProgram(context: Context, end: (code: number) => void): Command {
  const program = new Command("kitectl")
    .description("Runs Kontrol, makes keys, and finds and calls kites.")
    .version(VERSION, "-v, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand(false)
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.screen.print(text.trimEnd()),
      writeErr: (text) => context.screen.note(text.trimEnd()),
      outputError: (text) => context.screen.error(text.replace(/^error: /, "").trimEnd()),
    })
    .addHelpText("after", EXIT_CODES);
  for (const add of COMMANDS) add(program, context, end);
  addHelp(program, context);
  program.command("version").description("print the version").action(() => {
    context.screen.print(VERSION);
  });
  return program;
}

function subcommand(command: Command, name: string): Command {
  const found = command.commands.find((each) => each.name() === name);
  if (found !== undefined) return found;
  throw unknownName("command", name, command.commands.map((each) => each.name()));
}

/** `kitectl help`: like `--help`, but it refuses unknown commands. */
function addHelp(program: Command, context: Context): void {
  program.command("help").description("show the help of a command")
    .argument("[command...]", "the command, such as `user add`")
    .addHelpText("after", examples(`${context.program} help tell`))
    .action((words: string[]) => {
      readGiven(() => words.reduce(subcommand, program)).outputHelp();
    });
}
