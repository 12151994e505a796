import type { KiteIdentity } from "../protocol/identity.ts";
import { clip } from "./text.ts";

/** The part of an identity that an audience names. */
export type AudienceIdentity = Pick<KiteIdentity, "username" | "environment" | "name">;

/**
 * Decides whether a token's audience covers this kite, in place of {@linkcode refuseAudience}.
 * Its answer is remembered as long as the token, so it should depend on its arguments alone. May
 * throw an `authenticationError` with a message of its own for the caller.
 */
export type AudienceCheck = (own: AudienceIdentity, audience: string) => boolean;

/** `/username/environment/name/version/region/hostname/id`. */
const MAX_FIELDS = 7;

/**
 * Why `audience` does not cover the kite, in the words of the Go kite; `undefined` when it does.
 *
 * `/` covers every kite; else `/username[/environment[/name...]]`: the username must be equal,
 * environment and name equal or empty (docs/protocol.md §5).
 */
export function refuseAudience(own: AudienceIdentity, audience: string): string | undefined {
  if (audience === "/") return undefined;
  const [before, username = "", environment = "", name = "", ...rest] = audience.split("/");
  if (before !== "" || username === "" || rest.length > MAX_FIELDS - 3) {
    return `invalid audience: it is no /username/environment/name (${clip(audience)})`;
  }
  if (username !== own.username) return notAllowed("username", username, audience);
  if (environment !== "" && environment !== own.environment) {
    return notAllowed("environment", environment, audience);
  }
  if (name !== "" && name !== own.name) return notAllowed("kite", name, audience);
  return undefined;
}

/** The audience that covers one kite by name: `/username/environment/name`. */
export function audienceOf(own: AudienceIdentity): string {
  return `/${own.username}/${own.environment}/${own.name}`;
}

function notAllowed(field: string, value: string, audience: string): string {
  return `audience: ${field} ${JSON.stringify(clip(value))} not allowed (${clip(audience)})`;
}
