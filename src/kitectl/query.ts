import type { KiteEvent } from "../discovery/watch.ts";
import { formatIdentity, IDENTITY_FIELDS } from "../protocol/identity.ts";
import type { KontrolQuery } from "../protocol/query.ts";
import { type AddCommand, examples } from "./command.ts";
import { type Context, createKiteWithKontrol } from "./context.ts";
import { Failure } from "./exit_codes.ts";
import { addQueryOptions, findKites, queryOf } from "./target.ts";
import { safeJson, safeLine } from "./text.ts";

interface QueryOptions extends KontrolQuery {
  readonly json?: boolean;
  readonly watch?: boolean;
}

const OTHERS = "With a field, such as --name, it lists the kites of every user";

/** `kitectl query`: prints the kites that match, once or with every change. */
export const addQuery: AddCommand = (program, context) => {
  const command = program.command("query")
    .description("list the registered kites that match; without a field, your own");
  addQueryOptions(command)
    .option("--json", "print an object per line")
    .option("--watch", "keep printing what comes and goes, until Ctrl-C")
    .addHelpText(
      "after",
      examples(
        `${context.program} query --name math`,
        `${context.program} query --version ">= 1.0, < 2.0" --json`,
        `${context.program} query --environment production --watch`,
      ),
    )
    .action((options: QueryOptions) => query(context, options));
};

async function query(context: Context, options: QueryOptions): Promise<void> {
  const kite = createKiteWithKontrol(context);
  try {
    const given = queryOf(options);
    const fields = Object.keys(given).length > 0 ? given : { username: kite.config.username };
    if (options.watch === true) {
      const { signal } = context;
      await context.screen.whileWaiting("Connecting", () => kite.kontrolReady({ signal }));
      await using watch = kite.watchKites(fields);
      signal.addEventListener("abort", () => void watch.close());
      for await (const event of watch) printEvent(context, event, options);
      return;
    }
    const found = (await findKites(context, kite, fields).catch((error: unknown) => {
      const isOwn = error instanceof Failure && fields !== given;
      throw isOwn ? new Failure(error.message, { code: error.code, hint: OTHERS }) : error;
    })).flatMap(({ identity, url }) => {
      return identity === undefined ? [] : [{ kite: identity, url }];
    }).sort((a, b) => formatIdentity(a.kite) < formatIdentity(b.kite) ? -1 : 1);
    if (options.json === true) {
      for (const each of found) context.screen.print(safeJson(each));
    } else {
      const rows = found.map(({ kite, url }) => [...IDENTITY_FIELDS.map((f) => kite[f]), url]);
      context.screen.printTable([...IDENTITY_FIELDS, "url"], rows);
    }
  } finally {
    await kite.close({ deadline: 0 });
  }
}

function printEvent(
  { screen }: Context,
  event: KiteEvent,
  { json = false }: QueryOptions,
): void {
  // The event's token is a secret and must not be printed.
  const { action, kite, url } = event;
  if (json) return screen.print(safeJson({ action, kite, url }));
  const isNew = action === "REGISTER";
  const sign = isNew ? screen.color("green", "+") : screen.color("red", "-");
  const where = isNew ? ` ${safeLine(url)}` : "";
  screen.print(`${sign} ${safeLine(formatIdentity(kite))}${where}`);
}
