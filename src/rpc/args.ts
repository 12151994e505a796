import { decodeBytes } from "../protocol/bytes.ts";
import type { RemoteFunction } from "./remote_functions.ts";
import { KiteError } from "../protocol/errors.ts";

/**
 * One argument of a call. Its methods check the type. For another type, the caller receives an
 * `argumentError` with the name of the argument, its type, and the expected one.
 *
 * @example
 * ```ts
 * import { Kite } from "@kite/kite";
 *
 * const kite = new Kite("greeter", "1.0.0");
 * kite.handle("greet", ({ args }) => `hello, ${args.one().object().field("name").string()}`);
 * ```
 */
export class Argument {
  /** The unchecked value. */
  readonly value: unknown;
  readonly #name: string;
  readonly #method: string;

  /**
   * Wraps a value.
   *
   * @param name the name in error messages
   * @param method the method that was called with it
   */
  constructor(value: unknown, name: string, method = "") {
    this.value = value;
    this.#name = name;
    this.#method = method;
  }

  /** True if the value is missing or null. */
  get isNull(): boolean {
    return this.value === null || this.value === undefined;
  }

  /** Returns the value as a string. */
  string(): string {
    return typeof this.value === "string" ? this.value : this.#refuse("a string");
  }

  /** Returns the value as a finite number. */
  number(): number {
    return typeof this.value === "number" && Number.isFinite(this.value)
      ? this.value
      : this.#refuse("a number");
  }

  /** Decodes bytes from base64 text, as written by `encodeBytes` or a Go kite. */
  bytes(): Uint8Array<ArrayBuffer> {
    const text = this.string();
    try {
      return decodeBytes(text);
    } catch {
      return this.#refuse("bytes as base64 text");
    }
  }

  /** Returns the value as a boolean. */
  boolean(): boolean {
    return typeof this.value === "boolean" ? this.value : this.#refuse("a boolean");
  }

  /** Returns the elements of an array. */
  array(): Argument[] {
    if (!Array.isArray(this.value)) return this.#refuse("an array");
    return this.value.map((element, i) =>
      new Argument(element, `${this.#name}[${i}]`, this.#method)
    );
  }

  /** Returns the elements of an array with exactly `length` elements. */
  sliceOfLength<Length extends number>(length: Length): TupleOf<Argument, Length> {
    const elements = this.array();
    return elements.length === length
      ? elements as unknown as TupleOf<Argument, Length>
      : this.#refuse(`an array of ${length}, not of ${elements.length}`);
  }

  /** Returns the value as an object with checked fields. */
  object(): ObjectArgument {
    const { value } = this;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return this.#refuse("an object");
    }
    return new ObjectArgument(value as Record<string, unknown>, this.#name, this.#method);
  }

  /** Returns the value as a function. Calling it calls the function of the remote. */
  function(): RemoteFunction {
    return typeof this.value === "function"
      ? this.value as RemoteFunction
      : this.#refuse("a function");
  }

  #refuse(right: string): never {
    throw argumentError(this.#method, `${this.#name} must be ${right}, got ${kindOf(this.value)}`);
  }
}

/**
 * The fields of an object argument.
 *
 * @example
 * ```ts
 * import { Kite } from "@kite/kite";
 *
 * const shop = new Kite("shop", "1.0.0");
 * shop.handle("price", ({ args }) => {
 *   const order = args.one().object();
 *   return order.field("count").number() * 2;
 * });
 * ```
 */
export class ObjectArgument {
  /** The unchecked object. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly #name: string;
  readonly #method: string;

  /**
   * Wraps a value.
   *
   * @param name the name in error messages
   * @param method the method that was called with it
   */
  constructor(value: Readonly<Record<string, unknown>>, name: string, method = "") {
    this.value = value;
    this.#name = name;
    this.#method = method;
  }

  /** Returns a field, whose type can be checked. Missing fields are null. */
  field(name: string): Argument {
    const value = Object.hasOwn(this.value, name) ? this.value[name] : undefined;
    return new Argument(value, `${this.#name}.${name}`, this.#method);
  }

  /** True if the object has the field. */
  has(name: string): boolean {
    return Object.hasOwn(this.value, name);
  }
}

/** An array of `Length` elements; a tuple if the compiler knows the length. */
export type TupleOf<Element, Length extends number, Found extends readonly Element[] = []> =
  number extends Length ? readonly Element[]
    : Found["length"] extends Length ? Found
    : TupleOf<Element, Length, readonly [...Found, Element]>;

/**
 * The arguments of a call. Iterate over it to get each argument.
 *
 * @example
 * ```ts
 * import { Kite } from "@kite/kite";
 *
 * const math = new Kite("math", "1.0.0");
 * math.handle("square", ({ args }) => args.one().number() ** 2);
 * ```
 */
export class Args implements Iterable<Argument> {
  /** The unchecked values. */
  readonly values: readonly unknown[];
  readonly #method: string;

  /**
   * Wraps the arguments.
   *
   * @param values the unchecked values
   * @param method the method that was called with them
   */
  constructor(values: readonly unknown[], method = "") {
    this.values = values;
    this.#method = method;
  }

  /** The number of arguments. */
  get length(): number {
    return this.values.length;
  }

  /**
   * Returns the only argument.
   *
   * @throws {KiteError} `argumentError` unless there is exactly one
   */
  one(): Argument {
    this.#expect(1);
    return new Argument(this.values[0], "argument", this.#method);
  }

  /**
   * Returns all arguments.
   *
   * @throws {KiteError} `argumentError` unless there are exactly `length`
   */
  sliceOfLength<Length extends number>(length: Length): TupleOf<Argument, Length> {
    this.#expect(length);
    return [...this] as unknown as TupleOf<Argument, Length>;
  }

  /** Returns the argument at an index. Missing arguments are null. */
  at(index: number): Argument {
    return new Argument(this.values[index], `argument ${index + 1}`, this.#method);
  }

  /** Yields each argument. */
  *[Symbol.iterator](): Generator<Argument> {
    for (let i = 0; i < this.values.length; i++) yield this.at(i);
  }

  #expect(length: number): void {
    if (this.values.length === length) return;
    throw argumentError(
      this.#method,
      `expected ${length} argument${length === 1 ? "" : "s"}, got ${this.values.length}`,
    );
  }
}

function argumentError(method: string, reason: string): KiteError {
  const action = method === "" ? "" : `Cannot call "${method}": `;
  return new KiteError("argumentError", action + reason);
}

function kindOf(value: unknown): string {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  const type = typeof value;
  return type === "object" ? "an object" : `a ${type}`;
}
