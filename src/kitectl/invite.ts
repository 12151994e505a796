import { checkName } from "../config_values.ts";
import { createInvite } from "../../kontrol/invites.ts";
import { type AddCommand, examples, readOption, readTime } from "./command.ts";
import type { Context } from "./context.ts";
import { Failure } from "./exit_codes.ts";
import { LOCAL_HELP, openLocalKontrol } from "./local_kontrol.ts";

interface InviteOptions {
  readonly username?: string;
  readonly for: string;
}

/** `kitectl invite`: creates a code with which someone can register once. */
export const addInvite: AddCommand = (program, context) => {
  program.command("invite")
    .description("print a code that registers one machine, for a Kontrol with -register=token")
    .argument("[flags...]", "flags of Kontrol, after --")
    .option("--username <name>", "let it be used for this username only")
    .option("--for <time>", "how long it is good, at most a week", "15m")
    .addHelpText("after", LOCAL_HELP)
    .addHelpText(
      "after",
      examples(
        `${context.program} invite`,
        `${context.program} invite --username bob --for 24h`,
        `${context.program} invite -- -storage=etcd`,
      ),
    )
    .action((flags: string[], options: InviteOptions) => invite(context, flags, options));
};

async function invite(
  context: Context,
  flags: readonly string[],
  options: InviteOptions,
): Promise<void> {
  const { screen } = context;
  const lifetime = readTime("--for", options.for);
  const username = options.username === undefined
    ? ""
    : readOption(checkName, "--username", options.username);
  await using kontrol = await openLocalKontrol(context, flags);
  if (kontrol.settings.storage === "memory") {
    throw new Failure("Cannot invite: a Kontrol on storage memory keeps no invites for others", {
      hint: "Start Kontrol with another -storage",
    });
  }
  const { code, expiresAt } = await createInvite(kontrol.storage.invites, { username, lifetime });
  screen.print(code);
  const until = new Date(expiresAt).toISOString().replace(/\.\d+Z$/, "Z");
  const name = username === "" ? "NAME" : username;
  screen.note(
    `It works once, until ${until}, at a Kontrol that runs with -register=token:\n` +
      `  kitectl register --to ${kontrol.url} --username ${name} --invite ${code}`,
  );
}
