import { audienceOf } from "../src/auth/audience.ts";
import type { KiteKeyVerifier } from "../src/auth/kite_key_verifier.ts";
import { KiteError } from "../src/protocol/errors.ts";
import { checkIdentity, IDENTITY_FIELDS, type KiteIdentity } from "../src/protocol/identity.ts";
import { type KontrolQuery, readQuery } from "../src/protocol/query.ts";
import type { KeyRing } from "./keypairs.ts";
import type { Metrics } from "./metrics.ts";
import { type Caller, filterCallable, type Policy } from "./policy.ts";
import type { Keeper, Registry } from "./registry.ts";
import { SharedReads } from "./shared_reads.ts";
import type { Registration, Storage } from "./storage/storage.ts";
import type { TokenIssuer } from "./tokens.ts";

/** Characters of a URL, at most. */
const URL_LENGTH = 2_048;

/** A registration as it was asked for. */
export interface RegistrationRequest {
  readonly caller: Caller;
  /** The `kontrolKey` claim of the caller's verified kite.key. */
  readonly kontrolKey: string;
  /** The key that the caller trusts at present. @default `kontrolKey` */
  readonly trustedKey?: string | undefined;
  readonly url: string;
  readonly keeper: Keeper;
  /** The connection that keeps the kite known. */
  readonly owner?: object;
}

/** What a registration comes to. */
export interface RegistrationAnswer {
  readonly url: string;
  /** Seconds. */
  readonly heartbeatInterval: number;
  readonly kiteKey?: string;
  readonly publicKey?: string;
  readonly keyHandover?: string;
}

/** A kite as it is handed out. */
export interface FoundKite {
  readonly kite: KiteIdentity;
  readonly url: string;
  readonly keyId: string;
  readonly token: string;
}

/** What the service works on. */
export interface ServiceParts {
  readonly storage: Storage;
  readonly registry: Registry;
  readonly keys: KeyRing;
  readonly tokens: TokenIssuer;
  readonly policy: Policy;
  readonly metrics: Metrics;
  readonly verifier: KiteKeyVerifier;
  /** Kites in one answer, at most. */
  readonly maxResults: number;
}

/** What Kontrol does, whichever way it is asked (docs/kontrol-protocol.md §2). */
export class KontrolService {
  readonly parts: ServiceParts;
  readonly #reads: SharedReads;

  constructor(parts: ServiceParts) {
    this.parts = parts;
    this.#reads = new SharedReads(parts.storage, parts.maxResults);
  }

  /** The `kontrolKey` claim of a kite.key. @throws {KiteError} `authenticationError` */
  async kontrolKeyOf(kiteKey: string): Promise<string> {
    const { verifier } = this.parts;
    const { claims } = verifier.cached(kiteKey) ?? await verifier.verify(kiteKey);
    return claims.kontrolKey ?? "";
  }

  /** Takes a kite in, or its new URL. */
  async register(request: RegistrationRequest): Promise<RegistrationAnswer> {
    const { metrics } = this.parts;
    try {
      const answer = await this.#register(request);
      metrics.count("registrations");
      return answer;
    } catch (error) {
      metrics.count("registration_failures");
      throw error;
    }
  }

  async #register(request: RegistrationRequest): Promise<RegistrationAnswer> {
    const { caller, kontrolKey, keeper, owner } = request;
    const { keys, policy, registry } = this.parts;
    // In Go's words, which differ.
    if (request.url === "") {
      throw new KiteError("argumentError", keeper === "http" ? "empty URL" : "empty url");
    }
    const url = checkUrl(request.url);
    const kite = checkComplete({ ...caller.kite, username: caller.username });
    if (policy.mayRegister !== undefined && !await policy.mayRegister(caller, kite, url)) {
      throw new KiteError("notAllowed", "the policy of this Kontrol refuses the registration");
    }
    const renewed = await keys.renew(kontrolKey, caller.username, request.trustedKey);
    const pair = await keys.pairOf(renewed?.publicKey ?? kontrolKey);
    await registry.add({ kite, url, keyId: pair.id }, keeper, owner);
    const heartbeatInterval = Math.max(1, Math.round(registry.liveness.heartbeatInterval / 1000));
    return { url, heartbeatInterval, ...renewed };
  }

  /** The kites that match and that the caller may call, in an order of chance, each with a token. */
  async find(caller: Caller, query: unknown): Promise<FoundKite[]> {
    this.parts.metrics.count("queries");
    const found = await this.matching(caller, readQuery(query));
    // Kites of one name share a token: it is asked for once, not a thousand times.
    const places = new Map<string, number>();
    const tokens: Promise<string>[] = [];
    const placeOf = (registration: Registration): number => {
      const name = tokenName(registration);
      let place = places.get(name);
      if (place === undefined) {
        place = tokens.push(this.#issue(caller, registration, false)) - 1;
        places.set(name, place);
      }
      return place;
    };
    const order = found.map(placeOf);
    const texts = await Promise.all(tokens);
    return found.map(({ kite, url, keyId }, index) => {
      return { kite, url, keyId, token: texts[order[index]!]! };
    });
  }

  /** The registrations that match and that the caller may call, in an order of chance. */
  async matching(caller: Caller, query: KontrolQuery): Promise<readonly Registration[]> {
    const found = await this.#reads.get(query);
    return shuffle([...await filterCallable(this.parts.policy, caller, found)]);
  }

  /** A registration with a token for the caller. */
  async describe(caller: Caller, registration: Registration): Promise<FoundKite> {
    const { kite, url, keyId } = registration;
    return { kite, url, keyId, token: await this.#issue(caller, registration, false) };
  }

  /** A token for the one kite that matches. */
  async token(caller: Caller, query: unknown, force: boolean): Promise<string> {
    const found = await this.matching(caller, readQuery(query));
    if (found.length === 0) throw new KiteError("genericError", "no kites found");
    if (found.length > 1) {
      throw new KiteError("genericError", "query matches more than one kite");
    }
    return await this.#issue(caller, found[0]!, force);
  }

  #issue(caller: Caller, { kite, keyId }: Registration, force: boolean): Promise<string> {
    this.parts.metrics.count("tokens");
    return this.parts.tokens.issue({
      audience: audienceOf(kite),
      username: caller.username,
      keyId,
      force,
    });
  }
}

/** What decides on the token of a registration, for one caller. */
function tokenName({ kite, keyId }: Registration): string {
  return `${keyId} ${audienceOf(kite)}`;
}

/** @throws {KiteError} `argumentError` */
function checkUrl(url: string): string {
  if (url.length > URL_LENGTH) {
    throw new KiteError("argumentError", `the URL is longer than ${URL_LENGTH} characters`);
  }
  const scheme = URL.canParse(url) ? new URL(url).protocol : "";
  if (["http:", "https:", "ws:", "wss:"].includes(scheme)) return url;
  throw new KiteError(
    "argumentError",
    "the URL must begin with http://, https://, ws:// or wss://",
  );
}

/** In Go's words where a field is empty. @throws {KiteError} `argumentError` */
function checkComplete(kite: KiteIdentity): KiteIdentity {
  for (const field of IDENTITY_FIELDS) {
    if (kite[field] === "") throw new KiteError("argumentError", `Empty Kite field: ${field}`);
  }
  return checkIdentity(kite);
}

function shuffle<Element>(elements: Element[]): Element[] {
  for (let i = elements.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [elements[i], elements[j]] = [elements[j]!, elements[i]!];
  }
  return elements;
}
