import { KiteError } from "../protocol/errors.ts";
import { nearestName } from "../protocol/nearest.ts";
import { quote } from "../protocol/quote.ts";
import { type Handler, Hooks, type MethodHandling, ServedMethod } from "./method.ts";
import type { MethodSchemas } from "./contract_types.ts";
import { IncomingCall } from "./request.ts";

/** Methods beyond which a wrong name is not compared with each: strangers can send many. */
const MOST_COMPARED = 256;

/** How a kite serves its methods. */
export interface MethodsOptions {
  /** Whose result answers a call when hooks return something too. */
  readonly handling: MethodHandling;
  /** Whether callers must authenticate, where a method does not say otherwise. */
  readonly authenticates: boolean;
  /** Characters of a method's name, at most. */
  readonly nameLength: number;
  /** Authenticates callers. */
  readonly authenticators: CallAuthenticator;
}

/** Authenticates callers. */
export interface CallAuthenticator {
  /**
   * Sets the authenticated username of a request.
   *
   * @returns `undefined` if that is done, or a promise if it takes time
   * @throws {KiteError} `authenticationError`, now or in the promise
   */
  authenticate(request: IncomingCall): Promise<void> | undefined;
}

/** The methods of a kite: what others may call, and who may. */
export class Methods {
  /** What runs around every method. */
  readonly hooks: Hooks = new Hooks();
  /** Who vouches for callers. */
  readonly authenticators: CallAuthenticator;
  /** Set while new calls are refused. */
  isClosing = false;
  /** Whether callers must authenticate, where a method does not say otherwise. */
  authenticates: boolean;
  readonly #methods = new Map<string, ServedMethod>();
  readonly #options: MethodsOptions;

  constructor(options: MethodsOptions) {
    this.#options = options;
    this.authenticates = options.authenticates;
    this.authenticators = options.authenticators;
  }

  /** Serves a method, in place of a former one of that name. */
  handle(name: string, handler: Handler, schemas?: MethodSchemas): ServedMethod {
    const { nameLength, handling } = this.#options;
    if (typeof name !== "string" || name === "" || name.length > nameLength) {
      throw new KiteError(
        "configError",
        `Cannot handle a method: its name must have 1 to ${nameLength} characters`,
      );
    }
    if (typeof handler !== "function") {
      throw new KiteError("configError", `Cannot handle "${name}": the handler must be a function`);
    }
    const method = new ServedMethod(name, handler, this.hooks, handling, schemas);
    this.#methods.set(name, method);
    return method;
  }

  /** The methods that are served. */
  get all(): Iterable<ServedMethod> {
    return this.#methods.values();
  }

  /**
   * Stops serving a method.
   *
   * @returns whether there was one
   */
  unhandle(name: string): boolean {
    return this.#methods.delete(name);
  }

  /** Serves a request: authentication, then the method's chain. */
  serve(request: IncomingCall): unknown {
    const method = this.#methods.get(request.method);
    if (method === undefined) {
      throw this.#notFound(request.method.slice(0, this.#options.nameLength));
    }
    if (this.isClosing) throw new KiteError("disconnect", "the kite is closing");
    if (request.authenticates && this.authenticates && method.authenticates) {
      const authenticated = this.authenticators.authenticate(request);
      if (authenticated !== undefined) {
        const life = IncomingCall.lifeOf(request);
        // The caller may give up while its authentication is checked.
        return authenticated.then(() => life.isGivenUp ? undefined : method.run(request));
      }
    } else if (request.foreignOrigin !== undefined) {
      throw refuseOrigin(method.name, request.foreignOrigin);
    }
    return method.run(request);
  }

  /** Peers match on the first words, which are Go's. */
  #notFound(name: string): KiteError {
    const near = this.#methods.size <= MOST_COMPARED
      ? nearestName(name, [...this.#methods.keys()])
      : undefined;
    const hint = near === undefined ? "" : `; did you mean ${near}?`;
    return new KiteError("methodNotFound", `Method not found: ${name}${hint}`);
  }
}

function refuseOrigin(method: string, origin: string): KiteError {
  return new KiteError(
    "notAllowed",
    `Cannot call "${method}" from a page of ${
      quote(origin)
    }: the method has no authentication, and ` +
      "this kite is local; its owner can add the origin to the option origins",
  );
}
