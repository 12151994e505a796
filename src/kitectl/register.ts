import {
  kiteHome,
  readKiteKeyClaims,
  readKiteKeyFile,
  writeKiteKeyFile,
} from "../auth/kite_key.ts";
import { checkName, checkUrl } from "../config_values.ts";
import type { Kite } from "../kite.ts";
import { KiteError } from "../protocol/errors.ts";
import { makeDirectory } from "../runtime/files.ts";
import { removeFolder } from "../runtime/folders.ts";
import { getPass, prompt } from "../runtime/terminal.ts";
import { DEFAULT_PORT } from "../../kontrol/kontrol.ts";
import { type AddCommand, examples, readOption } from "./command.ts";
import { type Context, createKite, noHome } from "./context.ts";
import { EXIT, exitCodeOf, Failure } from "./exit_codes.ts";

/** Milliseconds for the registration, during which Kontrol may ask its owner or the user. */
const TIMEOUT = 300_000;

interface RegisterOptions {
  readonly to?: string;
  readonly username?: string;
  /** True to ask for the code. */
  readonly invite?: string | true;
  readonly force?: boolean;
}

/** `kitectl register`: gets a kite.key from Kontrol. */
export const addRegister: AddCommand = (program, context) => {
  program.command("register")
    .description("get a kite.key from Kontrol")
    .option(
      "--to <url>",
      "Kontrol's URL; that of the present kite.key, or this machine's, if not given",
    )
    .option("--username <name>", "your username; asked for if not given")
    .option("--invite [code]", "the code of an invite; asked for without echo if not given")
    .option("--force", "replace the kite.key that is there")
    .addHelpText(
      "after",
      examples(
        `${context.program} register --to http://kontrol.example.com:4000/kite`,
        `${context.program} register --username bob --invite F7XK2-9QZ3M-0AB4C-T8VWY`,
      ),
    )
    .action((options: RegisterOptions) => register(context, options));
};

async function register(context: Context, options: RegisterOptions): Promise<void> {
  const { screen, signal } = context;
  const home = kiteHome();
  if (home === "") throw noHome("register");
  const given = options.to === undefined ? undefined : readOption(checkUrl, "--to", options.to);
  if (options.username !== undefined) readOption(checkName, "--username", options.username);
  const present = await presentKey(home, options);
  if (present !== undefined && options.force !== true) {
    const { sub = "", kontrolURL = "" } = readKiteKeyClaims(present);
    throw new Failure(
      `Cannot register: ${home}/kite.key is there, of ${sub} at ${kontrolURL}`,
      { hint: "Use --force to replace it, or set KITE_HOME to another folder" },
    );
  }
  await checkWritable(home);
  const url = given ?? kontrolUrl(present);
  const username = options.username ?? await ask(prompt("Username: ", { signal }), "--username");
  readOption(checkName, "the username", username);
  const invite = options.invite === true
    ? await ask(getPass("Invite code: ", { signal }), "--invite CODE")
    : options.invite ?? "";
  const kite = createKite({
    username,
    kiteKey: "",
    // Kontrol may ask the user with these methods.
    builtins: { "kite.print": true, "kite.prompt": true, "kite.getPass": true },
  });
  try {
    const kiteKey = await requestKey(context, kite, url, invite);
    await writeKiteKeyFile(kiteKey, home);
    screen.print(`Registered as ${username}; the key is in ${home}/kite.key`);
  } finally {
    await kite.close({ deadline: 0 });
  }
}

async function requestKey(
  { screen, signal }: Context,
  kite: Kite,
  url: string,
  invite: string,
): Promise<string> {
  const client = kite.newClient(url);
  await screen.whileWaiting(`Connecting to ${url}`, () => client.dial({ signal }));
  const argument = invite === "" ? { authType: "" } : { authType: "invite", invite };
  const answer = await client.tellWith({ timeout: TIMEOUT, signal }, "registerMachine", argument)
    .catch((error: unknown) => Promise.reject(explain(error)));
  const { username } = kite.identity;
  if (typeof answer === "string" && isKeyOf(answer, username)) return answer;
  throw new KiteError("invalidResponse", `Kontrol did not answer with a kite.key of ${username}`);
}

/** Adds a hint to Kontrol's refusal. */
function explain(error: unknown): unknown {
  if (!(error instanceof KiteError) || exitCodeOf(error) !== EXIT.refused) return error;
  return new Failure(error.message, {
    code: EXIT.refused,
    hint: "Ask the owner of this Kontrol for an invite (kitectl invite), or for a kite.key " +
      "(kitectl user add)",
  });
}

function isKeyOf(text: string, username: string): boolean {
  try {
    return readKiteKeyClaims(text).sub === username;
  } catch {
    return false;
  }
}

/**
 * Writes to the folder of the kite.key, since an invite works only once.
 *
 * @throws {KiteError} `configError` if it cannot be written to
 */
async function checkWritable(home: string): Promise<void> {
  const probe = `${home}/.registering-${crypto.randomUUID()}`;
  await makeDirectory(probe, 0o700);
  await removeFolder(probe);
}

/** Reads the present kite.key. With `--force`, one that cannot be used is replaced as well. */
async function presentKey(home: string, { force }: RegisterOptions): Promise<string | undefined> {
  try {
    return await readKiteKeyFile(home);
  } catch (error) {
    if (force === true) return undefined;
    if (!(error instanceof KiteError)) throw error;
    throw new Failure(error.message, {
      hint: "Use --force to replace it, or set KITE_HOME to another folder",
    });
  }
}

function kontrolUrl(kiteKey: string | undefined): string {
  const known = kiteKey === undefined ? undefined : readKiteKeyClaims(kiteKey).kontrolURL;
  return known ?? `http://localhost:${DEFAULT_PORT}/kite`;
}

/** Reads the answer to a question. If nobody can answer, the error names the option to use. */
async function ask(question: Promise<string>, option: string): Promise<string> {
  let answer: string;
  try {
    answer = (await question).trim();
  } catch (error) {
    if (!(error instanceof KiteError) || error.type !== "genericError") throw error;
    throw new Failure(`Cannot ask: ${error.message}`, { code: EXIT.usage, hint: `Use ${option}` });
  }
  if (answer !== "") return answer;
  throw new Failure("Cannot register: the answer is empty", { code: EXIT.usage });
}
