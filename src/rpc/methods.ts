import { KiteError } from "../protocol/errors.ts";
import { nearestName } from "../protocol/nearest.ts";
import { type Handler, Hooks, type MethodHandling, ServedMethod } from "./method.ts";
import type { MethodSchemas } from "./contract_types.ts";
import { IncomingCall } from "./request.ts";

/**
 * With more methods than this, errors do not suggest a similar name: the search would be expensive.
 */
const MOST_COMPARED = 256;

/** Options of {@linkcode Methods}. */
export interface MethodsOptions {
  /** Selects the result of a call if hooks return values as well. */
  readonly handling: MethodHandling;
  /** Whether callers must authenticate, except for methods that disable it. */
  readonly authenticates: boolean;
  /** Maximum number of characters of a method's name. */
  readonly nameLength: number;
  /** Authenticates callers; undefined if none has to authenticate. */
  readonly authenticators: CallAuthenticator | undefined;
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

/** The methods of a kite, with their hooks and authentication. */
export class Methods {
  /** The hooks of every method. */
  readonly hooks: Hooks = new Hooks();
  /** Authenticates callers; undefined if none has to authenticate. */
  readonly authenticators: CallAuthenticator | undefined;
  /** True while new calls are refused. */
  isClosing = false;
  /** Whether callers must authenticate, except for methods that disable it. */
  authenticates: boolean;
  readonly #methods = new Map<string, ServedMethod>();
  readonly #options: MethodsOptions;

  constructor(options: MethodsOptions) {
    this.#options = options;
    this.authenticates = options.authenticates;
    this.authenticators = options.authenticators;
  }

  /** Adds a method. It replaces one of the same name. */
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

  /** Returns all methods. */
  get all(): Iterable<ServedMethod> {
    return this.#methods.values();
  }

  /**
   * Removes a method.
   *
   * @returns whether there was one
   */
  unhandle(name: string): boolean {
    return this.#methods.delete(name);
  }

  /** Serves a request: authenticates the caller, then runs the method with its hooks. */
  serve(request: IncomingCall): unknown {
    const method = this.#methods.get(request.method);
    if (method === undefined) {
      throw this.#notFound(request.method.slice(0, this.#options.nameLength));
    }
    if (this.isClosing) throw new KiteError("disconnect", "the kite is closing");
    if (request.authenticates && this.authenticates && method.authenticates) {
      // Without authenticators this throws, so that the call fails.
      const authenticated = this.authenticators!.authenticate(request);
      if (authenticated !== undefined) {
        const life = IncomingCall.lifeOf(request);
        // The caller may cancel the call during authentication.
        return authenticated.then(() => life.isGivenUp ? undefined : method.run(request));
      }
    } else if (request.refuseUnauthenticated !== undefined) {
      throw request.refuseUnauthenticated(method.name);
    }
    return method.run(request);
  }

  /** Creates the error for an unknown method. Peers match on its first words, which are Go's. */
  #notFound(name: string): KiteError {
    const near = this.#methods.size <= MOST_COMPARED
      ? nearestName(name, [...this.#methods.keys()])
      : undefined;
    const hint = near === undefined ? "" : `; did you mean ${near}?`;
    return new KiteError("methodNotFound", `Method not found: ${name}${hint}`);
  }
}
