import { KiteError } from "../protocol/errors.ts";
import { operatingSystem } from "./env.ts";
import { builtinModule, denoNamespace, isAllowed } from "./platform.ts";

const TIMEOUT = 10_000;

/** The texts are passed as `argv`, so that they are never executed as a script. */
const APPLE_SCRIPT = [
  "on run argv",
  "display notification (item 1 of argv) with title (item 2 of argv) subtitle (item 3 of argv)",
  "end run",
].join("\n");

/**
 * Shows a desktop notification, with `osascript` on macOS and `notify-send` on other systems.
 *
 * @throws {KiteError} `genericError` if the system has no notifier, or it cannot be run, or it fails
 */
export async function notify(subtitle: string, text: string, title: string): Promise<void> {
  const system = operatingSystem();
  if (system === "" || system === "windows") {
    throw cannotNotify("not supported on this system");
  }
  const [program, args] = system === "darwin"
    ? ["osascript", ["-e", APPLE_SCRIPT, "--", text, title, subtitle]] as const
    : ["notify-send", ["--", title, subtitle === "" ? text : `${subtitle}\n${text}`]] as const;
  await run(program, args);
}

async function run(program: string, args: readonly string[]): Promise<void> {
  if (!isAllowed({ name: "run", command: program })) {
    throw cannotNotify(`Deno needs --allow-run=${program}`);
  }
  try {
    const deno = denoNamespace();
    await (deno === undefined ? runInNode(program, args) : runInDeno(deno, program, args));
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    const reason = code === "ENOENT" ? `${program} is not installed` : `${program} failed`;
    throw cannotNotify(reason, cause);
  }
}

function cannotNotify(reason: string, cause?: unknown): KiteError {
  return new KiteError("genericError", `Cannot show a notification: ${reason}`, { cause });
}

/** Uses `Deno.Command`, which passes the environment on without the permission to read it. */
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
