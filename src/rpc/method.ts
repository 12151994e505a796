import { KiteError } from "../protocol/errors.ts";
import type { KiteRequest } from "./request.ts";
import type { MethodSchemas } from "./contract_types.ts";
import { Throttle } from "./throttle.ts";

/** Serves a request: what it returns, or resolves to, is the result; what it throws, the error. */
export type Handler = (request: KiteRequest) => unknown;

/**
 * Runs after everything else, also after an error. What it returns becomes the result, in place of an
 * error too; what it throws becomes the error; when it returns `undefined` the outcome stays as it is.
 */
export type FinalHandler = (request: KiteRequest, outcome: Outcome) => unknown;

/** What a chain came to so far. */
export type Outcome =
  | { readonly error?: undefined; readonly result: unknown }
  | { readonly error: unknown; readonly result?: undefined };

/**
 * Whose result answers a call, when pre-handlers and post-handlers return something too: the
 * method's own (`"method"`), the first that is not null or undefined (`"first"`), or the last such
 * (`"latest"`).
 */
export type MethodHandling = "method" | "first" | "latest";

/** What runs around the handlers of every method of a kite, or of one. */
export class Hooks {
  readonly pre: Handler[] = [];
  readonly post: Handler[] = [];
  readonly final: FinalHandler[] = [];

  /** True if nothing was added. */
  get isEmpty(): boolean {
    return this.pre.length === 0 && this.post.length === 0 && this.final.length === 0;
  }
}

/**
 * A method of a kite: its handler and what was set for it. Every setter returns the method, so that
 * they chain.
 *
 * @example
 * ```ts
 * import { Kite } from "@kite/kite";
 *
 * const kite = new Kite("math", "1.0.0");
 * kite.handle("square", ({ args }) => args.one().number() ** 2)
 *   .disableAuthentication()
 *   .throttle(10, 100)
 *   .preHandle((request) => request.context.set("start", performance.now()));
 * ```
 */
export class Method {
  /** The name it is called by. */
  readonly name: string;
  /** The schemas of its arguments and result, where it was given some. */
  readonly schemas: MethodSchemas | undefined;
  readonly #handler: Handler;
  readonly #hooks = new Hooks();
  readonly #kiteHooks: Hooks;
  readonly #handling: MethodHandling;
  #authenticates = true;
  #throttle: Throttle | undefined;

  /** Made by {@linkcode Kite.handle}. */
  constructor(
    name: string,
    handler: Handler,
    kiteHooks: Hooks,
    handling: MethodHandling,
    schemas?: MethodSchemas,
  ) {
    this.name = name;
    this.schemas = schemas;
    this.#handler = handler;
    this.#kiteHooks = kiteHooks;
    this.#handling = handling;
  }

  /** True unless {@linkcode Method.disableAuthentication} was called. */
  get authenticates(): boolean {
    return this.#authenticates;
  }

  /** Lets anyone call this method. */
  disableAuthentication(): this {
    this.#authenticates = false;
    return this;
  }

  /**
   * Bounds how often the method is called, over all callers: a bucket of `capacity` calls, one put
   * back every `fillInterval` milliseconds. Calls beyond fail with `requestLimitError`.
   */
  throttle(fillInterval: number, capacity: number): this {
    this.#throttle = new Throttle(fillInterval, capacity);
    return this;
  }

  /** Adds a handler that runs before the method's own, and before those of the kite. */
  preHandle(handler: Handler): this {
    this.#hooks.pre.push(handler);
    return this;
  }

  /** Adds a handler that runs after the method's own, unless there was an error. */
  postHandle(handler: Handler): this {
    this.#hooks.post.push(handler);
    return this;
  }

  /** Adds a function that runs last, also after an error, and may change the outcome. */
  finalFunc(handler: FinalHandler): this {
    this.#hooks.final.push(handler);
    return this;
  }

  /** Runs the chain for an authenticated request (docs/protocol.md §4, handler order). */
  run(request: KiteRequest): unknown {
    if (this.#throttle !== undefined && !this.#throttle.take()) {
      throw new KiteError("requestLimitError", "The maximum request rate is exceeded.");
    }
    return this.#hooks.isEmpty && this.#kiteHooks.isEmpty
      ? this.#handler(request)
      : this.#runWithHooks(request);
  }

  async #runWithHooks(request: KiteRequest): Promise<unknown> {
    let outcome: Outcome;
    try {
      outcome = { result: await this.#runHandlers(request) };
    } catch (error) {
      outcome = { error };
    }
    for (const final of [...this.#hooks.final, ...this.#kiteHooks.final]) {
      try {
        const result = await final(request, outcome);
        if (result !== undefined) outcome = { result };
      } catch (error) {
        outcome = { error };
      }
    }
    if ("error" in outcome) throw outcome.error;
    return outcome.result;
  }

  async #runHandlers(request: KiteRequest): Promise<unknown> {
    let first: unknown;
    let latest: unknown;
    const note = (result: unknown): void => {
      if (result === undefined || result === null) return;
      first ??= result;
      latest = result;
    };
    for (const handler of this.#hooks.pre) note(await handler(request));
    for (const handler of this.#kiteHooks.pre) note(await handler(request));
    const own = await this.#handler(request);
    note(own);
    for (const handler of this.#hooks.post) note(await handler(request));
    for (const handler of this.#kiteHooks.post) note(await handler(request));
    switch (this.#handling) {
      case "method":
        return own;
      case "first":
        return first;
      case "latest":
        return latest;
    }
  }
}
