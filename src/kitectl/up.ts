import type { Command } from "commander";
import { describeStorage } from "../../kontrol/program/open_storage.ts";
import { startKontrol } from "../../kontrol/program/start.ts";
import { type AddCommand, examples } from "./command.ts";
import type { Settings } from "../../kontrol/program/settings.ts";
import { type Context, createKite } from "./context.ts";
import { readLocalSettings } from "./local_kontrol.ts";
import { createSampleKite } from "./sample.ts";

interface UpOptions {
  readonly port?: string;
  readonly ip?: string;
  readonly username?: string;
  readonly register?: string;
  /** False for `--no-sample`. */
  readonly sample: boolean;
}

/** `kitectl up`: starts a Kontrol with a first kite.key, and a kite to call. */
export const addUp: AddCommand = (program, context) => {
  const command: Command = program.command("up");
  command
    .description("start a Kontrol with a first kite.key, and a sample kite, until Ctrl-C")
    .option("--port <port>", "the port to listen on")
    .option("--ip <address>", "the address to listen on")
    .option("--username <name>", "Kontrol's user, at the first start")
    .option("--register <mode>", "who may register: closed, token or open")
    .option("--no-sample", "start no sample kite")
    .addHelpText(
      "after",
      `\nKontrol keeps its state in KONTROL_HOME, or in the folder kontrol beside your kite.key. Further\n` +
        `settings come from the KONTROL_ variables, as for the program of Kontrol.\n` +
        examples(
          `${context.program} up`,
          `${context.program} up --port 4400 --register token`,
        ),
    )
    .action((options: UpOptions) => up(context, options));
};

async function up(context: Context, { sample, ...options }: UpOptions): Promise<void> {
  const { screen, signal, program } = context;
  const flags = Object.entries(options).map(([name, value]) => `-${name}=${value}`);
  const settings = readLocalSettings(context, flags);
  await checkAddress(settings);
  const started = await screen.whileWaiting("Starting", () => startKontrol(settings));
  const { kontrol, storage, url, username, keyPairNote, userKey } = started;
  const kite = createSampleKite({
    ip: settings.ip,
    username,
    kontrolUrl: url,
    kiteKey: await kontrol.keys.signKiteKey(username),
  });
  try {
    const lines = [
      `Kontrol listens at ${url}, its user is "${username}"`,
      `storage    ${describeStorage(settings)}`,
      `key pair   ${keyPairNote}`,
      `kite.key   ${userKey.note}`,
    ];
    if (sample) {
      const server = await kite.listen();
      await kite.register(server.url);
      lines.push(`kite       math 1.0.0 at ${server.url}, registered`);
    }
    const home = userKey.isUsable ? "" : `KITE_HOME=${settings.home} `;
    lines.push(
      "",
      "Next, in another terminal:",
      `  ${home}${program} query --name ${sample ? "math" : "kontrol"}`,
      sample
        ? `  ${home}${program} tell --name math square 4`
        : `  ${home}deno run -A examples/math_register.ts`,
      `  ${program} user add bob --out bob/kite.key`,
      "",
      "Ctrl-C stops it.",
    );
    screen.print(lines.join("\n"));
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve());
    });
  } finally {
    await kite.close({ deadline: 0 });
    // Kontrol waits for a lost kite to reconnect, and would stop before it removes this one.
    await storage.delete(kite.id).catch(() => false);
    await kontrol.close({ deadline: 0 });
  }
}

/**
 * Listens for a moment. Kontrol writes its URL to its kite.key before it listens, and keeps it, so
 * an address that cannot be used must fail before that.
 */
async function checkAddress({ ip, port }: Settings): Promise<void> {
  const kite = createKite({ ip, port, kiteKey: "" });
  try {
    await kite.listen();
  } finally {
    await kite.close({ deadline: 0 });
  }
}
