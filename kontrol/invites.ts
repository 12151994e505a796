import { KiteError } from "../src/protocol/errors.ts";
import type { Invites } from "./storage/storage.ts";

/** Milliseconds for which an invite is good unless another time is given. */
export const DEFAULT_INVITE_LIFETIME: number = 15 * 60_000;

/** Milliseconds for which an invite is good, at most. */
export const LONGEST_INVITE_LIFETIME: number = 7 * 24 * 3_600_000;

/** What an invite is for. */
export interface InviteOptions {
  /**
   * The only username that may be registered with it.
   *
   * @default any but Kontrol's own
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
  /** What the invited person enters; the storage keeps only its hash. */
  readonly code: string;
  /** When it expires, milliseconds since 1970. */
  readonly expiresAt: number;
}

/** No I, L, O and U, which are mistaken for others. */
const LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** Letters of a code, 5 bits each: too many to guess. */
const CODE_LENGTH = 20;
const GROUP = /.{5}(?=.)/g;

/**
 * Creates an invite: a code that allows one registration of a machine.
 *
 * @throws {KiteError} `argumentError` for a lifetime that is not allowed; or that of the storage
 */
export async function createInvite(
  invites: Invites,
  { username = "", lifetime = DEFAULT_INVITE_LIFETIME }: InviteOptions = {},
): Promise<NewInvite> {
  if (!(lifetime >= 1_000 && lifetime <= LONGEST_INVITE_LIFETIME)) {
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
 * Uses an invite up.
 *
 * @returns False if the code is unknown, used, expired, or for another username.
 */
export async function redeemInvite(
  invites: Invites,
  code: string,
  username: string,
): Promise<boolean> {
  const letters = code.toUpperCase().replace(/[\s-]/g, "");
  // What cannot be a code costs the storage nothing.
  if (letters.length !== CODE_LENGTH || [...letters].some((each) => !LETTERS.includes(each))) {
    return false;
  }
  return await invites.redeem(await hash(letters), username);
}

async function hash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}
