import type { KiteIdentity } from "../protocol/identity.ts";
import { clip } from "./text.ts";

/** The fields of an identity that an audience may name. */
export type AudienceIdentity = Pick<KiteIdentity, "username" | "environment" | "name">;

/**
 * Decides whether a token's audience covers this kite, instead of the rule of the Go kite.
 * The result is cached with the token, so it should depend only on the arguments. The function may
 * throw an `authenticationError`, whose message is sent to the caller.
 */
export type AudienceCheck = (own: AudienceIdentity, audience: string) => boolean;

/** `/username/environment/name/version/region/hostname/id`. */
const MAX_FIELDS = 7;

/**
 * Checks whether `audience` covers the kite.
 *
 * `/` covers every kite. Otherwise the form is `/username[/environment[/name...]]`: the username
 * must match, environment and name must match or be empty (docs/protocol.md §5).
 *
 * @returns the reason why it does not, worded as in the Go kite; `undefined` if it does
 */
export function refuseAudience(own: AudienceIdentity, audience: string): string | undefined {
  if (audience === "/") return undefined;
  const [before, username = "", environment = "", name = "", ...rest] = audience.split("/");
  if (before !== "" || username === "" || rest.length > MAX_FIELDS - 3) {
    return `invalid audience: must be /username/environment/name (${clip(audience)})`;
  }
  if (username !== own.username) return notAllowed("username", username, audience);
  if (environment !== "" && environment !== own.environment) {
    return notAllowed("environment", environment, audience);
  }
  if (name !== "" && name !== own.name) return notAllowed("kite", name, audience);
  return undefined;
}

/** Returns the audience that covers one kite by name: `/username/environment/name`. */
export function audienceOf(own: AudienceIdentity): string {
  return `/${own.username}/${own.environment}/${own.name}`;
}

function notAllowed(field: string, value: string, audience: string): string {
  return `audience: ${field} ${JSON.stringify(clip(value))} not allowed (${clip(audience)})`;
}
