import { KiteError } from "../src/protocol/errors.ts";
import { type KontrolQuery, readQuery } from "../src/protocol/query.ts";
import { EncodedText } from "../src/transport/encoded_text.ts";
import { afterTurn } from "../src/runtime/turn.ts";
import type { Budgets } from "./budgets.ts";
import type { Metrics } from "./metrics.ts";
import { type Caller, inScope, type Policy } from "./policy.ts";
import { type RegistrationText, RegistrationTexts } from "./registration_texts.ts";
import { SharedReads } from "./shared_reads.ts";
import type { Registration, Storage } from "./storage/storage.ts";
import type { TokenIssuer } from "./tokens.ts";

/** Registrations processed in one step. */
const STEP = 250;

/** Tokens requested in one step. */
const TOKENS_STEP = 50;

/** Maximum number of bytes of a message in addition to the kites. */
const ENVELOPE = 1_024;

/** The dependencies of {@linkcode Finder}. */
export interface FinderOptions {
  readonly storage: Storage;
  readonly tokens: TokenIssuer;
  readonly policy: Policy;
  readonly metrics: Metrics;
  readonly budgets: Budgets;
  /** Maximum number of kites in one answer. */
  readonly maxResults: number;
  /** Maximum number of bytes of one message. */
  readonly messageBytes: number;
}

const encoder = new TextEncoder();
const COMMA = encoder.encode(",");

/** Kites with tokens, as JSON. */
export interface KitesText {
  /** A JSON array, escaped for use inside a JSON string. */
  readonly escaped: EncodedText;
  /** The number of kites in the array; the others did not fit in one message. */
  readonly count: number;
}

/**
 * Finds kites for callers. The work is split into steps for the {@linkcode FairScheduler}, and answers
 * are assembled from the cached JSON of each registration.
 */
export class Finder {
  readonly #options: FinderOptions;
  readonly #texts = new RegistrationTexts();
  readonly #reads = new SharedReads<readonly Registration[]>();
  readonly #answers = new SharedReads<EncodedText>(afterTurn);

  constructor(options: FinderOptions) {
    this.#options = options;
  }

  /**
   * Finds the matching kites that the caller may call, in random order, as many as fit in one message.
   *
   * @returns the JSON `{"kites":[…]}` with a token for each kite, escaped for use inside a JSON string
   */
  async find(caller: Caller, query: unknown): Promise<EncodedText> {
    const { budgets, metrics, policy } = this.#options;
    const { username } = caller;
    metrics.count("queries");
    const read = await budgets.scheduler.run(username, () => readQuery(query));
    const answer = (): Promise<EncodedText> => this.#find(caller, read);
    // Custom policies may depend on more than the username, so their answers are not shared.
    if (policy.mayCall !== undefined || policy.scope !== undefined) return await answer();
    return await this.#answers.get(JSON.stringify([username, caller.expires, read]), answer);
  }

  async #find(caller: Caller, query: KontrolQuery): Promise<EncodedText> {
    const found = await this.matching(caller, query, this.#options.maxResults);
    const { escaped } = await this.describe(caller, found);
    return escaped.within('{\\"kites\\":', "}");
  }

  /** At most `limit` matching registrations that the caller may call, in random order. */
  async matching(caller: Caller, query: KontrolQuery, limit: number): Promise<Registration[]> {
    const { budgets: { scheduler }, policy, storage } = this.#options;
    const { username } = caller;
    const scoped = inScope(policy, caller, query);
    if (scoped === undefined) return [];
    // Kites that the policy filters out must not count towards the limit.
    const readLimit = policy.mayCall === undefined ? limit : Infinity;
    const found = await this.#reads.get(
      JSON.stringify([username, readLimit, scoped]),
      () => scheduler.run(username, () => storage.get(scoped, { limit: readLimit })),
    );
    const shuffled = shuffle([...found]);
    return policy.mayCall === undefined ? shuffled : await this.callable(caller, shuffled, limit);
  }

  /** At most `limit` of the registrations that the caller may call. */
  async callable(
    caller: Caller,
    registrations: readonly Registration[],
    limit: number,
  ): Promise<Registration[]> {
    const { budgets: { scheduler }, policy } = this.#options;
    if (policy.mayCall === undefined) return registrations.slice(0, limit);
    const callable: Registration[] = [];
    for (let start = 0; start < registrations.length && callable.length < limit; start += STEP) {
      const some = registrations.slice(start, start + STEP);
      const answers = await scheduler.run(
        caller.username,
        () => Promise.all(some.map(({ kite }) => policy.mayCall?.(caller, kite))),
      );
      callable.push(...some.filter((_, index) => answers[index] !== false));
    }
    return callable.slice(0, limit);
  }

  /** Encodes registrations with tokens for the caller, as many as fit in one message. */
  async describe(caller: Caller, registrations: readonly Registration[]): Promise<KitesText> {
    const { scheduler } = this.#options.budgets;
    const limit = this.#options.messageBytes - ENVELOPE;
    const entries: RegistrationText[] = [];
    let bytes = 0;
    for (let start = 0; start < registrations.length && bytes < limit; start += STEP) {
      await scheduler.run(caller.username, () => {
        for (const one of registrations.slice(start, start + STEP)) {
          const entry = this.#texts.of(one);
          entries.push(entry);
          bytes += entry.escaped.length;
        }
      });
    }
    // Tokens need no escaping.
    const tails = new Map<string, Uint8Array<ArrayBuffer>>();
    for (const [name, token] of await this.#tokens(caller, entries)) {
      tails.set(name, encoder.encode(`${token}\\"}`));
    }
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let count = 0;
    let isFull = false;
    bytes = 1;
    for (let start = 0; start < entries.length && !isFull; start += STEP) {
      await scheduler.run(caller.username, () => {
        for (const { escaped, tokenName } of entries.slice(start, start + STEP)) {
          const tail = tails.get(tokenName)!;
          bytes += escaped.length + tail.length + 1;
          isFull = bytes > limit;
          if (isFull) break;
          if (count++ > 0) pieces.push(COMMA);
          pieces.push(escaped, tail);
        }
      });
    }
    return { escaped: new EncodedText("[", pieces, "]"), count };
  }

  /**
   * Issues a token for the only matching kite.
   *
   * @throws {KiteError} `genericError`: no kite matches, or more than one
   */
  async token(caller: Caller, value: unknown, force: boolean): Promise<string> {
    const { scheduler } = this.#options.budgets;
    const query = await scheduler.run(caller.username, () => readQuery(value));
    const found = await this.matching(caller, query, 2);
    if (found.length === 0) throw new KiteError("genericError", "no kites found");
    if (found.length > 1) {
      throw new KiteError("genericError", "query matches more than one kite");
    }
    return await this.tokenFor(caller, found[0]!, force);
  }

  /** Issues a token with which the caller can call a kite. */
  tokenFor(caller: Caller, registration: Registration, force = false): Promise<string> {
    return this.#issue(caller, this.#texts.of(registration), force);
  }

  /** Issues one token per token name. */
  async #tokens(
    caller: Caller,
    entries: readonly RegistrationText[],
  ): Promise<ReadonlyMap<string, string>> {
    const { scheduler } = this.#options.budgets;
    const byName = new Map<string, RegistrationText>();
    for (const entry of entries) byName.set(entry.tokenName, entry);
    const distinct = [...byName.values()];
    const tokens = new Map<string, string>();
    const requested: Promise<unknown>[] = [];
    for (let start = 0; start < distinct.length; start += TOKENS_STEP) {
      await scheduler.run(caller.username, () => {
        for (const entry of distinct.slice(start, start + TOKENS_STEP)) {
          const token = this.#issue(caller, entry, false)
            .then((text) => tokens.set(entry.tokenName, text));
          token.catch(() => {}); // handled by Promise.all below
          requested.push(token);
        }
      });
    }
    await Promise.all(requested);
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
