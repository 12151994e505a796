import { KiteError } from "../src/protocol/errors.ts";
import { cannotUse } from "../src/protocol/refusal.ts";
import { redeemInvite } from "./invites.ts";
import type { MachineOptions, MachineRequest } from "./methods.ts";
import type { Invites } from "./storage/storage.ts";

/**
 * Who gets a kite.key from `registerMachine`:
 *
 * - `"closed"`: nobody.
 * - `"token"`: users with the code of an invite, once per code.
 * - `"open"`: everybody, for any username except Kontrol's own. Use it only in trusted networks.
 */
export type RegisterMode = "closed" | "token" | "open";

/** All modes. */
export const REGISTER_MODES: readonly RegisterMode[] = Object.freeze(["closed", "token", "open"]);

/**
 * Adds the `machineAuthenticate` of a register mode to the options.
 *
 * @throws {KiteError} `configError`: the mode is unknown, or `machineAuthenticate` is given, too
 */
export function admit(
  options: MachineOptions & { readonly register?: RegisterMode },
  invites: () => Invites,
  kontrolUser: string,
): MachineOptions {
  const { register } = options;
  if (register === undefined) return options;
  if (!REGISTER_MODES.includes(register)) {
    throw cannotUse("register", `must be one of ${REGISTER_MODES.join(", ")}`, { value: register });
  }
  if (options.machineAuthenticate !== undefined) {
    throw cannotUse("register", "must not be given together with machineAuthenticate");
  }
  if (register === "closed") return options;
  const machineAuthenticate = async ({ username, invite }: MachineRequest): Promise<void> => {
    if (username === kontrolUser) {
      throw refused(`Cannot register as ${kontrolUser}: it is the user of Kontrol itself`);
    }
    if (register === "open") return;
    if (invite === "") {
      throw refused("Cannot register without an invite: ask for a code from `kitectl invite`");
    }
    if (await redeemInvite(invites(), invite, username)) return;
    throw refused(
      `Cannot register with this invite: its code is wrong, used, expired, or not for ${username}`,
    );
  };
  return { ...options, machineAuthenticate };
}

function refused(message: string): KiteError {
  return new KiteError("authenticationError", message);
}
