import { createKiteKey } from "../auth/kite_key.ts";
import { checkName, checkUrl } from "../config_values.ts";
import { quote } from "../protocol/quote.ts";
import { createFile, makeDirectory } from "../runtime/files.ts";
import { type AddCommand, examples, readOption } from "./command.ts";
import { type Context, userPath } from "./context.ts";
import { Failure } from "./exit_codes.ts";
import { LOCAL_HELP, openLocalKontrol } from "./local_kontrol.ts";

interface UserOptions {
  readonly out?: string;
  readonly kontrolUrl?: string;
}

/** `kitectl user add`: creates a kite.key for another user or machine. */
export const addUser: AddCommand = (program, context) => {
  const { program: name } = context;
  program.command("user").description("make kite.keys for others, on Kontrol's machine")
    .command("add")
    .description("make a kite.key for another person or machine")
    .argument("<name>", "the username")
    .argument("[flags...]", "flags of Kontrol, after --")
    .option("--out <file>", "write a file for its owner's eyes only, in place of printing the key")
    .option("--kontrol-url <url>", "the URL at which that person reaches Kontrol")
    .addHelpText("after", LOCAL_HELP)
    .addHelpText(
      "after",
      examples(
        `${name} user add bob --out bob/kite.key`,
        `KITE_HOME=bob ${name} tell --name math square 4`,
        `${name} user add bob --kontrol-url http://10.0.0.5:4000/kite > kite.key`,
      ),
    )
    .action((username: string, flags: string[], options: UserOptions) =>
      addOne(context, username, flags, options)
    );
};

async function addOne(
  context: Context,
  username: string,
  flags: readonly string[],
  { out, kontrolUrl }: UserOptions,
): Promise<void> {
  readOption(checkName, "the username", username);
  const kiteKey = await signKey(context, username, flags, kontrolUrl);
  if (out === undefined) return context.screen.print(kiteKey);
  const path = userPath(out);
  const folder = path.slice(0, Math.max(path.lastIndexOf("/"), 0));
  if (folder !== "") await makeDirectory(folder, 0o700);
  if (!await createFile(path, kiteKey, 0o400)) {
    throw new Failure(`Cannot write ${path}: there is a file already`, {
      hint: "Remove it, or choose another one with --out",
    });
  }
  context.screen.print(`kite.key of ${username}  written to ${path}`);
  context.screen.note(
    "note: its owner keeps it as kite.key in ~/.kite, or in the folder that KITE_HOME names",
  );
}

async function signKey(
  context: Context,
  username: string,
  flags: readonly string[],
  given: string | undefined,
): Promise<string> {
  await using kontrol = await openLocalKontrol(context, flags);
  const kontrolUrl = given === undefined
    ? kontrol.url
    : readOption(checkUrl, "--kontrol-url", given);
  if (!URL.canParse(kontrolUrl)) {
    throw new Failure(`Cannot tell Kontrol's URL: its own kite.key says ${quote(kontrolUrl)}`, {
      hint: "Give it with --kontrol-url",
    });
  }
  const { hostname, port } = new URL(kontrolUrl);
  if (port === "0") {
    throw new Failure("Cannot tell Kontrol's URL: its port changes with each start", {
      hint: "Give it with --kontrol-url",
    });
  }
  if (["localhost", "127.0.0.1", "[::1]"].includes(hostname)) {
    context.screen.note(`note: the key says ${kontrolUrl}, which is right on this machine only`);
  }
  const signer = await kontrol.keys.own();
  return await createKiteKey({
    username,
    kontrolUser: kontrol.username,
    kontrolUrl,
    privateKey: await kontrol.keys.privateKey(signer),
    publicKeyPem: signer.public,
  });
}
