import { KiteError } from "../protocol/errors.ts";
import { cannotUse } from "../protocol/refusal.ts";
import type { KiteRequest } from "./request.ts";
import type { MethodSchemas } from "./contract_types.ts";
import { Throttle } from "./throttle.ts";

/**
 * Serves a request. The value that it returns, or that its promise resolves to, is the result of the
 * call; what it throws is the error.
 */
export type Handler = (request: KiteRequest) => unknown;

/**
 * Runs after the handler and all other hooks, also after an error. A value that it returns becomes the
 * result, even after an error; an error that it throws becomes the error. If it returns `undefined`,
 * the outcome does not change.
 */
export type FinalHandler = (request: KiteRequest, outcome: Outcome) => unknown;

/** The result or the error of the handlers that have run so far. */
export type Outcome =
  | { readonly error?: undefined; readonly result: unknown }
  | { readonly error: unknown; readonly result?: undefined };

/**
 * Selects the result of a call if hooks return values as well: the value of the method's own handler
 * (`"method"`), or the first (`"first"`) or last (`"latest"`) value that is not null or undefined.
 */
export type MethodHandling = "method" | "first" | "latest";

/** The hooks of one method, or of all methods of a kite. */
export class Hooks {
  readonly pre: Handler[] = [];
  readonly post: Handler[] = [];
  readonly final: FinalHandler[] = [];

  /**
   * Adds a hook.
   *
   * @throws {KiteError} `configError` if it is not a function
   */
  add<Phase extends "pre" | "post" | "final">(phase: Phase, hook: Hooks[Phase][number]): void {
    if (typeof hook !== "function") throw cannotUse("hook", "must be a function", { value: hook });
    (this[phase] as unknown[]).push(hook);
  }

  /** True if there are no hooks. */
  get isEmpty(): boolean {
    return this.pre.length === 0 && this.post.length === 0 && this.final.length === 0;
  }
}

/**
 * A method that a kite serves. Every setter returns the method, so calls can be chained.
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
export interface Method {
  /** The method's name. */
  readonly name: string;
  /** The schemas of the arguments and the result; undefined if it has none. */
  readonly schemas: MethodSchemas | undefined;
  /** False after {@linkcode Method.disableAuthentication}. */
  readonly authenticates: boolean;
  /** Lets anyone call this method. */
  disableAuthentication(): this;
  /**
   * Limits how often the method is called, counted over all callers. Further calls fail with
   * `requestLimitError`. The limit is a token bucket.
   *
   * @param fillInterval milliseconds until one more call is allowed
   * @param capacity calls that are allowed at once after a pause
   * @throws {KiteError} `configError` if an argument cannot be used
   */
  throttle(fillInterval: number, capacity: number): this;
  /** Adds a hook that runs before the method's handler and before the kite's own hooks. */
  preHandle(handler: Handler): this;
  /** Adds a hook that runs after the method's handler, unless there was an error. */
  postHandle(handler: Handler): this;
  /** Adds a hook that runs last, also after an error, and may change the outcome. */
  finalFunc(handler: FinalHandler): this;
}

/** A method with its handler and hooks. */
export class ServedMethod implements Method {
  readonly name: string;
  readonly schemas: MethodSchemas | undefined;
  readonly #handler: Handler;
  readonly #hooks = new Hooks();
  readonly #kiteHooks: Hooks;
  readonly #handling: MethodHandling;
  #authenticates = true;
  #throttle: Throttle | undefined;

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

  get authenticates(): boolean {
    return this.#authenticates;
  }

  disableAuthentication(): this {
    this.#authenticates = false;
    return this;
  }

  throttle(fillInterval: number, capacity: number): this {
    this.#throttle = new Throttle(fillInterval, capacity);
    return this;
  }

  preHandle(handler: Handler): this {
    this.#hooks.add("pre", handler);
    return this;
  }

  postHandle(handler: Handler): this {
    this.#hooks.add("post", handler);
    return this;
  }

  finalFunc(handler: FinalHandler): this {
    this.#hooks.add("final", handler);
    return this;
  }

  /** Runs the handler and the hooks for an authenticated request (docs/protocol.md §4). */
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
