import { KiteError } from "../protocol/errors.ts";
import { platform } from "./env.ts";
import { builtinModule, denoNamespace, isAllowed } from "./host.ts";

const TIMEOUT = 10_000;

/** Arguments come in as `argv`, so that no text is ever read as a script. */
const APPLE_SCRIPT = [
  "on run argv",
  "display notification (item 1 of argv) with title (item 2 of argv) subtitle (item 3 of argv)",
  "end run",
].join("\n");

/**
 * Shows a notification on the desktop: by `osascript` on macOS, by `notify-send` on Linux and the
 * like.
 *
 * @throws {KiteError} `genericError`: there is no notifier here, it may not be run, or it failed.
 */
export async function notify(subtitle: string, text: string, title: string): Promise<void> {
  const system = platform();
  if (system === "" || system === "windows") {
    throw new KiteError("genericError", "there are no desktop notifications on this system");
  }
  const [program, args] = system === "darwin"
    ? ["osascript", ["-e", APPLE_SCRIPT, "--", text, title, subtitle]] as const
    : ["notify-send", ["--", title, subtitle === "" ? text : `${subtitle}\n${text}`]] as const;
  await run(program, args);
}

async function run(program: string, args: readonly string[]): Promise<void> {
  if (!isAllowed({ name: "run", command: program })) {
    throw new KiteError("genericError", `${program} may not be run: allow --allow-run=${program}`);
  }
  try {
    const deno = denoNamespace();
    await (deno === undefined ? runInNode(program, args) : runInDeno(deno, program, args));
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    const reason = code === "ENOENT" ? `${program} is not installed` : `${program} failed`;
    throw new KiteError("genericError", reason, { cause });
  }
}

/** Deno's own way to run a program hands on the environment without leave to read it. */
async function runInDeno(
  deno: typeof Deno,
  program: string,
  args: readonly string[],
): Promise<void> {
  const { code } = await new deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(TIMEOUT),
  }).output();
  if (code !== 0) throw new Error(`exit code ${code}`);
}

function runInNode(program: string, args: readonly string[]): Promise<void> {
  const { execFile } = builtinModule("node:child_process");
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: TIMEOUT }, (cause) => {
      if (cause === null) resolve();
      else reject(cause);
    });
  });
}
