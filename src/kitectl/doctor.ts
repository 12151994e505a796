import { messageOf } from "../protocol/errors.ts";
import { env } from "../runtime/env.ts";
import { DEFAULT_PORT } from "../../kontrol/kontrol.ts";
import {
  checkKey,
  checkKontrol,
  checkPort,
  checkTransport,
  checkTrust,
  type Finding,
} from "./checks.ts";
import { type AddCommand, examples } from "./command.ts";
import { type Context, createKite } from "./context.ts";
import { EXIT } from "./exit_codes.ts";
import { safeJson, safeLine } from "./text.ts";

interface DoctorOptions {
  readonly json?: boolean;
}

/** `kitectl doctor`: checks the setup of this machine, and says how to fix it. */
export const addDoctor: AddCommand = (program, context, end) => {
  program.command("doctor")
    .description("check key, clock, Kontrol, storage, transports and ports")
    .option("--json", "print an object per line")
    .addHelpText("after", examples(`${context.program} doctor`))
    .action(async (options: DoctorOptions) => {
      const isWell = await examine(context, options);
      if (!isWell) end(EXIT.failed);
    });
};

/**
 * Runs all checks.
 *
 * @returns false if a check failed
 */
async function examine(context: Context, options: DoctorOptions): Promise<boolean> {
  let isWell = true;
  const show = (what: string, finding: Finding): void => {
    isWell &&= finding.state !== "wrong";
    print(context, what, finding, options);
  };
  const { screen } = context;
  show("key", await checkKey(context));
  let kite;
  try {
    kite = createKite();
  } catch (error) {
    show("settings", { state: "wrong", text: messageOf(error), remedy: "correct or unset it" });
    return false;
  }
  try {
    const url = kite.config.kontrolUrls[0] ?? `http://localhost:${DEFAULT_PORT}/kite`;
    const status = await screen.whileWaiting("Asking Kontrol", () => checkKontrol(context, url));
    show("Kontrol", status.kontrol);
    show("clock", status.clock);
    show("storage", status.storage);
    if (status.kontrol.state === "ok") {
      const { config } = kite;
      const trust = config.kontrolUrls.length > 0
        ? await screen.whileWaiting("Asking Kontrol", () => checkTrust(context, kite))
        : undefined;
      if (trust !== undefined) show("trust", trust);
      for (const transport of ["WebSocket", "XHRPolling"] as const) {
        show(
          transport,
          await screen.whileWaiting(
            `Trying ${transport}`,
            () => checkTransport(context, url, transport),
          ),
        );
      }
    }
    const port = Number(env("KONTROL_PORT") ?? "") || localPort(url) || DEFAULT_PORT;
    show(`port ${port}`, await checkPort(context, port));
    const own = kite.config.port;
    if (own !== 0 && own !== port) show(`port ${own}`, await checkPort(context, own));
  } finally {
    await kite.close({ deadline: 0 });
  }
  return isWell;
}

/** The port in a URL of this machine; 0 for another machine. */
function localPort(url: string): number {
  const { hostname, port } = new URL(url);
  return ["localhost", "127.0.0.1", "[::1]"].includes(hostname) ? Number(port) : 0;
}

function print(
  { screen }: Context,
  what: string,
  finding: Finding,
  { json = false }: DoctorOptions,
): void {
  if (json) return screen.print(safeJson({ check: what, ...finding }));
  const { state, text, remedy } = finding;
  const color = { ok: "green", warning: "yellow", wrong: "red" } as const;
  const label = screen.color(color[state], state.padEnd(8));
  screen.print(`${label} ${what.padEnd(11)} ${safeLine(text)}`);
  if (remedy !== undefined) screen.print(`${" ".repeat(9)}${"".padEnd(11)} fix: ${remedy}`);
}
