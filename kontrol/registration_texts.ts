import { audienceOf } from "../src/auth/audience.ts";
import { escapeMessage } from "../src/transport/sockjs/frames.ts";
import type { Registration } from "./storage/storage.ts";

/** Maximum number of bytes of cached text. */
const MAX_BYTES = 33_554_432;

const encoder = new TextEncoder();

/** A registration as escaped JSON. */
export interface RegistrationText {
  readonly registration: Registration;
  /**
   * The object up to its token: `{"kite":…,"url":…,"keyId":…,"token":"`, escaped for use inside a JSON
   * string, in UTF-8. The token and `"}` follow.
   */
  readonly escaped: Uint8Array<ArrayBuffer>;
  /** `/username/environment/name`, see {@linkcode audienceOf}. */
  readonly audience: string;
  /** Registrations with the same name share the tokens of a caller. */
  readonly tokenName: string;
}

/** Caches the escaped JSON of registrations by ID. */
export class RegistrationTexts {
  readonly #byId = new Map<string, RegistrationText>();
  #bytes = 0;

  /** The text of a registration, from the cache if the registration is unchanged. */
  of(registration: Registration): RegistrationText {
    const { id } = registration.kite;
    const known = this.#byId.get(id);
    if (known !== undefined && isSame(known.registration, registration)) return known;
    const made = encode(registration);
    if (known !== undefined) this.#drop(known);
    this.#byId.set(id, made);
    this.#bytes += made.escaped.length;
    for (const oldest of this.#byId.values()) {
      if (this.#bytes <= MAX_BYTES || oldest === made) break;
      this.#drop(oldest);
    }
    return made;
  }

  #drop(entry: RegistrationText): void {
    this.#byId.delete(entry.registration.kite.id);
    this.#bytes -= entry.escaped.length;
  }
}

function encode(registration: Registration): RegistrationText {
  const { kite, url, keyId } = registration;
  const text = `${JSON.stringify({ kite, url, keyId }).slice(0, -1)},"token":"`;
  const audience = audienceOf(kite);
  const escaped = encoder.encode(escapeMessage(text));
  return { registration, escaped, audience, tokenName: `${keyId} ${audience}` };
}

function isSame(one: Registration, other: Registration): boolean {
  if (one.url !== other.url || one.keyId !== other.keyId) return false;
  const [a, b] = [one.kite, other.kite];
  return a === b || a.username === b.username && a.environment === b.environment &&
      a.name === b.name && a.version === b.version && a.region === b.region &&
      a.hostname === b.hostname;
}
