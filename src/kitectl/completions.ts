import { Argument, type Command } from "commander";
import { type AddCommand, examples } from "./command.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** The part of a command that completions need. */
interface Completed {
  /** Its words, such as `user add`. */
  readonly words: string;
  readonly description: string;
  /** Subcommands and options that may follow it. */
  readonly children: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly { readonly name: string; readonly description: string }[];
}

/** `kitectl completions`: prints a script that completes commands and options in a shell. */
export const addCompletions: AddCommand = (program, { screen }) => {
  program.command("completions")
    .description("print a script that completes commands and options in your shell")
    .addArgument(new Argument("<shell>", "your shell").choices(SHELLS))
    .addHelpText(
      "after",
      examples(
        'eval "$(kitectl completions bash)"',
        'eval "$(kitectl completions zsh)"',
        "kitectl completions fish | source",
      ),
    )
    .action((shell: Shell) => {
      const all = collect(program, "");
      const write = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell];
      screen.print(write(all));
    });
};

/** Returns a command and its subcommands. */
function collect(command: Command, words: string): Completed[] {
  const own: Completed = {
    words,
    description: command.description(),
    children: command.commands.map((child) => ({
      name: child.name(),
      description: child.description(),
    })),
    options: [
      ...command.options.flatMap(({ long, description }) => {
        return long ? [{ name: long.slice(2), description }] : [];
      }),
      { name: "help", description: "show help" },
    ],
  };
  return [
    own,
    ...command.commands.flatMap((child) => collect(child, `${words} ${child.name()}`.trim())),
  ];
}

/** Creates the branches of a shell's `case` with the words that may follow each command. */
function branches(all: readonly Completed[], write: (words: string) => string): string {
  return all.map(({ words, children, options }) => {
    const next = [...children.map(({ name }) => name), ...options.map(({ name }) => `--${name}`)];
    return `    "${words}") ${write(next.join(" "))} ;;`;
  }).join("\n");
}

/** Creates shell code that finds the command among the words typed so far. */
const FIND_COMMAND = `for word in "\${typed[@]}"; do
    case "$word" in -*) continue ;; esac
    case "|$names|" in *"|\${command:+$command }$word|"*) command="\${command:+$command }$word" ;; *) break ;; esac
  done`;

function bashScript(all: readonly Completed[]): string {
  return `_kitectl() {
  local word command="" names="${namesOf(all)}" typed=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
  ${FIND_COMMAND}
  local next=""
  case "$command" in
${branches(all, (words) => `next="${words}"`)}
  esac
  COMPREPLY=($(compgen -W "$next" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _kitectl kitectl`;
}

function zshScript(all: readonly Completed[]): string {
  return `#compdef kitectl
_kitectl() {
  local word command="" names="${namesOf(all)}"
  local -a typed=("\${(@)words[2,CURRENT-1]}")
  ${FIND_COMMAND}
  case "$command" in
${branches(all, (words) => `compadd -- ${words}`)}
  esac
}
compdef _kitectl kitectl`;
}

function fishScript(all: readonly Completed[]): string {
  const lines = all.flatMap(({ words, children, options }) => {
    const condition = words === ""
      ? "__fish_use_subcommand"
      : `__fish_seen_subcommand_from ${words.split(" ").at(-1)}`;
    const start = `complete -c kitectl -n '${condition}'`;
    return [
      ...children.map(({ name, description }) => `${start} -a ${name} -d ${quoted(description)}`),
      ...options.map(({ name, description }) => `${start} -l ${name} -d ${quoted(description)}`),
    ];
  });
  return lines.join("\n");
}

/** Creates a shell pattern of all commands: `up|user|user add`. */
function namesOf(all: readonly Completed[]): string {
  return all.map(({ words }) => words).filter((words) => words !== "").join("|");
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
