import type { Command } from "commander";
import type { Client } from "../client.ts";
import { checkUrl } from "../config_values.ts";
import type { Kite } from "../kite.ts";
import { KiteError } from "../protocol/errors.ts";
import { IDENTITY_FIELDS } from "../protocol/identity.ts";
import { type KontrolQuery, readQueryFields } from "../protocol/query.ts";
import type { Authentication } from "../rpc/codec.ts";
import { readGiven, readOption } from "./command.ts";
import { type Context, createKite, createKiteWithKontrol } from "./context.ts";
import { EXIT, Failure } from "./exit_codes.ts";

const FIELD_HELP: Readonly<Record<string, string>> = Object.freeze({
  username: "the kite's user",
  environment: "where it runs, such as production",
  name: "its name",
  version: 'its version, or a constraint such as ">= 1.0, < 2.0"',
  region: "its region",
  hostname: "its machine",
  id: "its id",
});

/** Milliseconds that a Kontrol may take to answer where the call may do without it. */
const PATIENCE = 3_000;

/** The options that name a kite to call. */
export interface TargetOptions extends KontrolQuery {
  readonly to?: string;
  readonly showKey?: boolean;
}

/** Adds an option for each of the seven fields of a query. */
export function addQueryOptions(command: Command): Command {
  for (const field of IDENTITY_FIELDS) {
    command.option(`--${field} <${field}>`, FIELD_HELP[field]);
  }
  return command;
}

/** Adds the options that name a kite to call. */
export function addTargetOptions(command: Command): Command {
  command.option("--to <url>", "the kite's URL, in place of or beside the fields");
  addQueryOptions(command);
  return command.option(
    "--show-key",
    "with --to: authenticate with your kite.key itself; only for kites you trust",
  );
}

/**
 * Returns the given fields.
 *
 * @throws {Failure} for a field that no kite can have
 */
export function queryOf(options: KontrolQuery): KontrolQuery {
  const query = Object.fromEntries(
    IDENTITY_FIELDS.flatMap((field) => {
      const value = options[field];
      return value === undefined ? [] : [[field, value]];
    }),
  );
  return Object.keys(query).length === 0 ? {} : readGiven(() => readQueryFields(query));
}

/**
 * Creates clients of the matching kites. They are not dialled yet.
 *
 * @throws {Failure} if no kite matches
 */
export async function findKites(
  context: Context,
  kite: Kite,
  query: KontrolQuery,
  wait: { readonly timeout?: number } = {},
): Promise<readonly Client[]> {
  try {
    return await context.screen.whileWaiting(
      "Asking Kontrol",
      () => kite.getKites(query, { ...wait, signal: context.signal }),
    );
  } catch (error) {
    if (!(error instanceof KiteError) || error.code !== "kitesNotFound") throw error;
    const fields = Object.entries(query).map(([name, value]) => `${name} ${value}`).join(", ");
    throw new Failure(`No kite matches ${fields}`, { code: EXIT.notFound });
  }
}

/** A connected kite, and the kite that calls it. */
export interface Target extends AsyncDisposable {
  readonly client: Client;
  /** True if the calls are sent without authentication. */
  readonly isAnonymous: boolean;
}

/**
 * Connects to the kite that the options name.
 *
 * @param timeout milliseconds to connect to each kite that is tried
 * @throws {Failure} if the options name no kite, or no kite matches
 * @throws {KiteError} if no kite can be reached
 */
export async function openTarget(
  context: Context,
  options: TargetOptions,
  timeout: number,
): Promise<Target> {
  const query = queryOf(options);
  const hasQuery = Object.keys(query).length > 0;
  if (options.to === undefined && !hasQuery) {
    throw new Failure("Cannot choose a kite: neither --to nor a field such as --name is given", {
      code: EXIT.usage,
    });
  }
  const kite = options.to === undefined ? createKiteWithKontrol(context) : createKite();
  try {
    const clients = options.to === undefined
      ? await findKites(context, kite, query)
      : [await clientAt(context, kite, readOption(checkUrl, "--to", options.to), options, query)];
    const client = await dialFirst(context, clients, timeout);
    return {
      client,
      isAnonymous: client.authentication === undefined,
      [Symbol.asyncDispose]: () => kite.close({ deadline: 0 }),
    };
  } catch (error) {
    await kite.close({ deadline: 0 });
    throw error;
  }
}

async function dialFirst(
  { screen, signal }: Context,
  clients: readonly Client[],
  timeout: number,
): Promise<Client> {
  let failure: unknown;
  for (const client of clients) {
    try {
      await screen.whileWaiting(
        `Connecting to ${client.url}`,
        () => client.dial({ timeout, signal }),
      );
      return client;
    } catch (error) {
      if (signal.aborted) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

async function clientAt(
  context: Context,
  kite: Kite,
  url: string,
  { showKey = false }: TargetOptions,
  query: KontrolQuery,
): Promise<Client> {
  const authentication = showKey
    ? kiteKeyOf(context, kite)
    : await tokenFor(context, kite, url, query);
  return kite.newClient(url, authentication === undefined ? {} : { authentication });
}

function kiteKeyOf({ program }: Context, kite: Kite): Authentication {
  const { kiteKey, kiteHome } = kite.config;
  if (kiteKey !== undefined) return { type: "kiteKey", key: kiteKey };
  throw new Failure(`Cannot use --show-key: there is no kite.key in ${kiteHome}`, {
    hint: `\`${program} register\` gets one`,
  });
}

/**
 * Returns a token for a URL: that of the kite which the fields name, or of our own kite that is
 * registered there. Otherwise the call has no authentication, since whoever gets a kite.key can act
 * as its user.
 */
async function tokenFor(
  context: Context,
  kite: Kite,
  url: string,
  query: KontrolQuery,
): Promise<Authentication | undefined> {
  const hasQuery = Object.keys(query).length > 0;
  const { kiteKey, kontrolUrls, username } = kite.config;
  if (!hasQuery && (kiteKey === undefined || kontrolUrls.length === 0)) return undefined;
  try {
    const found = hasQuery
      ? await findKites(context, kite, query)
      : await findKites(context, kite, { username }, { timeout: PATIENCE });
    const match = hasQuery ? found[0] : found.find((each) => isSameUrl(each.url, url));
    return match?.authentication;
  } catch (error) {
    if (hasQuery) throw error;
    return undefined;
  }
}

function isSameUrl(one: string, other: string): boolean {
  const normal = (url: string): string => {
    return URL.canParse(url) ? new URL(url).href.replace("//localhost", "//127.0.0.1") : url;
  };
  return normal(one) === normal(other);
}

/** Adds a hint to the refusal of a call that had no authentication. */
export function explainRefusal(error: unknown, { isAnonymous }: Target): unknown {
  const isRefused = error instanceof KiteError && error.type === "authenticationError";
  if (!isAnonymous || !isRefused) return error;
  return new Failure(error.message, {
    code: EXIT.refused,
    hint: "Name the kite with --name for a token from Kontrol, or use --show-key if you trust it",
  });
}
