import { KiteError } from "../src/protocol/errors.ts";
import type { Invites } from "./storage/storage.ts";

/** The default of {@linkcode InviteOptions.lifetime}. */
export const DEFAULT_INVITE_LIFETIME: number = 15 * 60_000;

/** The maximum of {@linkcode InviteOptions.lifetime}. */
export const MAX_INVITE_LIFETIME: number = 7 * 24 * 3_600_000;

/** The options of {@linkcode createInvite}. */
export interface InviteOptions {
  /**
   * The username that may register with the invite.
   *
   * @default any except Kontrol's own
   */
  readonly username?: string;
  /**
   * Milliseconds until it expires, at most a week.
   *
   * @default 900_000 (15 minutes)
   */
  readonly lifetime?: number;
}

/** A new invite. */
export interface NewInvite {
  /** The code that the invited user enters. The storage contains only its hash. */
  readonly code: string;
  /** When it expires, milliseconds since 1970. */
  readonly expiresAt: number;
}

/** The characters of a code. I, L, O and U are missing, since they look like others. */
const LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // cspell:disable-line
/** The number of characters of a code. Each has 5 random bits. */
const CODE_LENGTH = 20;
const GROUP = /.{5}(?=.)/g;

/**
 * Creates an invite, which allows one call of `registerMachine`.
 *
 * @throws {KiteError} `argumentError` if the lifetime cannot be used; an error of the storage
 * @example
 * ```ts
 * import { createInvite, MemoryStorage } from "@kite/kite/kontrol";
 *
 * await using storage = new MemoryStorage();
 * const { code, expiresAt } = await createInvite(storage.invites, { username: "bob" });
 * console.assert(/^(\w{5}-){3}\w{5}$/.test(code) && expiresAt > Date.now());
 * ```
 */
export async function createInvite(
  invites: Invites,
  { username = "", lifetime = DEFAULT_INVITE_LIFETIME }: InviteOptions = {},
): Promise<NewInvite> {
  if (!(lifetime >= 1_000 && lifetime <= MAX_INVITE_LIFETIME)) {
    throw new KiteError(
      "argumentError",
      `Cannot use lifetime ${lifetime}: must be from 1 second to 7 days, in milliseconds`,
    );
  }
  const bytes = crypto.getRandomValues(new Uint8Array(CODE_LENGTH));
  const letters = Array.from(bytes, (byte) => LETTERS[byte % LETTERS.length]).join("");
  const expiresAt = Date.now() + lifetime;
  await invites.add({ id: await hash(letters), username, expiresAt });
  return { code: letters.replace(GROUP, "$&-"), expiresAt };
}

/**
 * Redeems an invite.
 *
 * @returns false if the code is unknown, used, expired, or for another username
 */
export async function redeemInvite(
  invites: Invites,
  code: string,
  username: string,
): Promise<boolean> {
  const letters = code.toUpperCase().replace(/[\s-]/g, "");
  // The storage need not look for a code that cannot exist.
  if (letters.length !== CODE_LENGTH || [...letters].some((each) => !LETTERS.includes(each))) {
    return false;
  }
  return await invites.redeem(await hash(letters), username);
}

async function hash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}
