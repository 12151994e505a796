import { kiteHome, readKiteKeyClaims, readKiteKeyFile } from "../auth/kite_key.ts";
import { type AddCommand, examples } from "./command.ts";
import { type Context, noHome, userPath } from "./context.ts";
import { Failure } from "./exit_codes.ts";
import { safeJson, safeText } from "./text.ts";

/** The claims of a kite.key, in the order of Go's kitectl. */
const CLAIMS = ["sub", "iss", "kontrolURL", "aud", "iat", "jti", "kontrolKey"] as const;

interface ShowOptions {
  readonly home?: string;
  readonly json?: boolean;
}

/** `kitectl showkey`: prints the claims of the kite.key, without the key itself. */
export const addShowkey: AddCommand = (program, context) => {
  program.command("showkey")
    .description("show what your kite.key says; the key itself stays secret")
    .option("--home <folder>", "the folder of kite.key, in place of KITE_HOME or ~/.kite")
    .option("--json", "print JSON")
    .addHelpText("after", examples(`${context.program} showkey`))
    .action((options: ShowOptions) => show(context, options));
};

async function show({ screen, program }: Context, { home, json }: ShowOptions): Promise<void> {
  const folder = home === undefined ? kiteHome() : userPath(home);
  if (folder === "") throw noHome("show the key");
  const kiteKey = await readKiteKeyFile(folder);
  if (kiteKey === undefined) {
    throw new Failure(`Cannot show the key: there is no kite.key in ${folder}`, {
      hint: `\`${program} register\` gets one`,
    });
  }
  const claims = readKiteKeyClaims(kiteKey);
  if (json === true) return screen.print(safeJson(claims, 2));
  for (const name of CLAIMS) {
    const value = claims[name];
    if (value === undefined) continue;
    const text = name === "iat" ? new Date(Number(value) * 1_000).toISOString() : String(value);
    screen.print(`${name.padEnd(15)}${safeText(text)}`);
  }
}
