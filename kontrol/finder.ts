import { KiteError } from "../src/protocol/errors.ts";
import { type KontrolQuery, readQuery } from "../src/protocol/query.ts";
import type { Budgets } from "./budgets.ts";
import type { Metrics } from "./metrics.ts";
import { type Caller, inScope, type Policy } from "./policy.ts";
import { type RegistrationText, RegistrationTexts } from "./registration_texts.ts";
import { SharedReads } from "./shared_reads.ts";
import type { Registration, Storage } from "./storage/storage.ts";
import type { TokenIssuer } from "./tokens.ts";

/** Registrations that one step looks at. */
const STEP = 250;

/** Tokens that one step asks for. */
const TOKENS_STEP = 50;

/** Bytes that a message puts around the kites of an answer, at most. */
const ENVELOPE = 1_024;

/** What a {@linkcode Finder} works on. */
export interface FinderOptions {
  readonly storage: Storage;
  readonly tokens: TokenIssuer;
  readonly policy: Policy;
  readonly metrics: Metrics;
  readonly budgets: Budgets;
  /** Kites in one answer, at most. */
  readonly maxResults: number;
  /** Bytes of one message, at most. */
  readonly messageBytes: number;
}

/** What follows a token. A token itself holds nothing to escape. */
const TOKEN_END = '\\"}';

/** Kites with tokens, as JSON. */
export interface KitesText {
  /** A JSON array, as it stands inside of a JSON string. */
  readonly escaped: string;
  /** How many of the given registrations are in it; the others did not fit in one message. */
  readonly count: number;
}

/**
 * Finds kites for callers. The work is cut into steps that users take in turn, and an answer is put
 * together from texts that are encoded once per registration.
 */
export class Finder {
  readonly #options: FinderOptions;
  readonly #texts = new RegistrationTexts();
  readonly #reads = new SharedReads<readonly Registration[]>();
  readonly #answers = new SharedReads<string>();

  constructor(options: FinderOptions) {
    this.#options = options;
  }

  /**
   * The kites that match and that the caller may call, in random order, each with a token: the JSON
   * `{"kites":[…]}` as it stands inside of a JSON string. As many as one message carries.
   */
  async find(caller: Caller, query: unknown): Promise<string> {
    const { budgets, metrics, policy } = this.#options;
    const { username } = caller;
    metrics.count("queries");
    const read = await budgets.turns.run(username, () => readQuery(query));
    const answer = (): Promise<string> => this.#find(caller, read);
    // The owner's policy may look at more of a caller than its name.
    if (policy.mayCall !== undefined || policy.scope !== undefined) return await answer();
    return await this.#answers.get(JSON.stringify([username, caller.expires, read]), answer);
  }

  async #find(caller: Caller, query: KontrolQuery): Promise<string> {
    const found = await this.matching(caller, query, this.#options.maxResults);
    const { escaped } = await this.describe(caller, found);
    return `{\\"kites\\":${escaped}}`;
  }

  /** Registrations that match and that the caller may call, in random order, at most `limit`. */
  async matching(caller: Caller, query: KontrolQuery, limit: number): Promise<Registration[]> {
    const { budgets: { turns }, policy, storage } = this.#options;
    const { username } = caller;
    const scoped = inScope(policy, caller, query);
    if (scoped === undefined) return [];
    // What the policy filters out must not count for the limit.
    const readLimit = policy.mayCall === undefined ? limit : Infinity;
    const found = await this.#reads.get(
      JSON.stringify([username, readLimit, scoped]),
      () => turns.run(username, () => storage.get(scoped, { limit: readLimit })),
    );
    const shuffled = shuffle([...found]);
    return policy.mayCall === undefined ? shuffled : await this.callable(caller, shuffled, limit);
  }

  /** Those that the caller may call, at most `limit`. */
  async callable(
    caller: Caller,
    registrations: readonly Registration[],
    limit: number,
  ): Promise<Registration[]> {
    const { budgets: { turns }, policy } = this.#options;
    if (policy.mayCall === undefined) return registrations.slice(0, limit);
    const callable: Registration[] = [];
    for (let start = 0; start < registrations.length && callable.length < limit; start += STEP) {
      const some = registrations.slice(start, start + STEP);
      const answers = await turns.run(
        caller.username,
        () => Promise.all(some.map(({ kite }) => policy.mayCall?.(caller, kite))),
      );
      callable.push(...some.filter((_, index) => answers[index] !== false));
    }
    return callable.slice(0, limit);
  }

  /** Registrations with tokens for the caller, as many of them as one message carries. */
  async describe(caller: Caller, registrations: readonly Registration[]): Promise<KitesText> {
    const { turns } = this.#options.budgets;
    const most = this.#options.messageBytes - ENVELOPE;
    const entries: RegistrationText[] = [];
    let bytes = 0;
    for (let start = 0; start < registrations.length && bytes < most; start += STEP) {
      await turns.run(caller.username, () => {
        for (const one of registrations.slice(start, start + STEP)) {
          const entry = this.#texts.of(one);
          entries.push(entry);
          bytes += entry.bytes;
        }
      });
    }
    const tokens = await this.#tokens(caller, entries);
    let [escaped, count] = ["[", 0];
    bytes = 1;
    for (const entry of entries) {
      const token = tokens.get(entry.tokenName)!;
      bytes += entry.bytes + token.length + TOKEN_END.length + 1;
      if (bytes > most) break;
      escaped += (count++ === 0 ? "" : ",") + entry.escaped + token + TOKEN_END;
    }
    return { escaped: escaped + "]", count };
  }

  /** A token for the one kite that matches. */
  async token(caller: Caller, value: unknown, force: boolean): Promise<string> {
    const { turns } = this.#options.budgets;
    const query = await turns.run(caller.username, () => readQuery(value));
    const found = await this.matching(caller, query, 2);
    if (found.length === 0) throw new KiteError("genericError", "no kites found");
    if (found.length > 1) {
      throw new KiteError("genericError", "query matches more than one kite");
    }
    return await this.tokenFor(caller, found[0]!, force);
  }

  /** A token for a caller of one kite. */
  tokenFor(caller: Caller, registration: Registration, force = false): Promise<string> {
    return this.#issue(caller, this.#texts.of(registration), force);
  }

  /** One token for each name: kites of one name share it. */
  async #tokens(
    caller: Caller,
    entries: readonly RegistrationText[],
  ): Promise<ReadonlyMap<string, string>> {
    const { turns } = this.#options.budgets;
    const byName = new Map<string, RegistrationText>();
    for (const entry of entries) byName.set(entry.tokenName, entry);
    const distinct = [...byName.values()];
    const tokens = new Map<string, string>();
    const asked: Promise<unknown>[] = [];
    for (let start = 0; start < distinct.length; start += TOKENS_STEP) {
      await turns.run(caller.username, () => {
        for (const entry of distinct.slice(start, start + TOKENS_STEP)) {
          const token = this.#issue(caller, entry, false)
            .then((text) => tokens.set(entry.tokenName, text));
          token.catch(() => {}); // rejects below, once all are asked for
          asked.push(token);
        }
      });
    }
    await Promise.all(asked);
    return tokens;
  }

  #issue(caller: Caller, entry: RegistrationText, force: boolean): Promise<string> {
    this.#options.metrics.count("tokens");
    return this.#options.tokens.issue({
      audience: entry.audience,
      username: caller.username,
      keyId: entry.registration.keyId,
      force,
      ...(caller.expires === undefined ? {} : { notAfter: caller.expires }),
    });
  }
}

function shuffle<Element>(elements: Element[]): Element[] {
  for (let i = elements.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [elements[i], elements[j]] = [elements[j]!, elements[i]!];
  }
  return elements;
}
