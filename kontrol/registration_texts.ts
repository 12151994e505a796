import { audienceOf } from "../src/auth/audience.ts";
import { escapeMessage } from "../src/transport/sockjs/frames.ts";
import type { Registration } from "./storage/storage.ts";

/** Bytes of text that are kept, at most. */
const MOST_BYTES = 33_554_432;

const encoder = new TextEncoder();

/** A registration as JSON, encoded and escaped once. */
export interface RegistrationText {
  readonly registration: Registration;
  /**
   * The object up to its token, which follows with `"}`: `{"kite":…,"url":…,"keyId":…,"token":"`, as
   * it stands inside of a JSON string.
   */
  readonly escaped: string;
  /** Bytes of it. */
  readonly bytes: number;
  /** `/username/environment/name`, see {@linkcode audienceOf}. */
  readonly audience: string;
  /** What decides on the token of a registration, for one caller. */
  readonly tokenName: string;
}

/** The texts of registrations, made once for each state of a registration and kept by its id. */
export class RegistrationTexts {
  readonly #byId = new Map<string, RegistrationText>();
  #bytes = 0;

  /** The text of a registration. */
  of(registration: Registration): RegistrationText {
    const { id } = registration.kite;
    const known = this.#byId.get(id);
    if (known !== undefined && isSame(known.registration, registration)) return known;
    const made = encode(registration);
    if (known !== undefined) this.#drop(known);
    this.#byId.set(id, made);
    this.#bytes += made.bytes;
    for (const oldest of this.#byId.values()) {
      if (this.#bytes <= MOST_BYTES || oldest === made) break;
      this.#drop(oldest);
    }
    return made;
  }

  #drop(entry: RegistrationText): void {
    this.#byId.delete(entry.registration.kite.id);
    this.#bytes -= entry.bytes;
  }
}

function encode(registration: Registration): RegistrationText {
  const { kite, url, keyId } = registration;
  const text = `${JSON.stringify({ kite, url, keyId }).slice(0, -1)},"token":"`;
  const audience = audienceOf(kite);
  const escaped = escapeMessage(text);
  const bytes = encoder.encode(escaped).length;
  return { registration, escaped, bytes, audience, tokenName: `${keyId} ${audience}` };
}

function isSame(one: Registration, other: Registration): boolean {
  if (one.url !== other.url || one.keyId !== other.keyId) return false;
  const [a, b] = [one.kite, other.kite];
  return a === b || a.username === b.username && a.environment === b.environment &&
      a.name === b.name && a.version === b.version && a.region === b.region &&
      a.hostname === b.hostname;
}
