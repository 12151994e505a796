import type { Callback } from "../dnode/scrub.ts";
import { decodeBytes } from "../protocol/bytes.ts";
import { KiteError } from "../protocol/errors.ts";

/**
 * One argument of a call, read with a check of its type. A wrong type is answered as an
 * `argumentError` that names the argument, what came and what would be right.
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
  /** The value as it came, unchecked. */
  readonly value: unknown;
  readonly #name: string;
  readonly #method: string;

  /**
   * Wraps a value.
   *
   * @param name how error messages call it
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

  /** The value if it is a string. */
  string(): string {
    return typeof this.value === "string" ? this.value : this.#refuse("a string");
  }

  /** The value if it is a finite number. */
  number(): number {
    return typeof this.value === "number" && Number.isFinite(this.value)
      ? this.value
      : this.#refuse("a number");
  }

  /** The bytes if it is their base64 text, as `encodeBytes` or a Go kite writes it. */
  bytes(): Uint8Array<ArrayBuffer> {
    const text = this.string();
    try {
      return decodeBytes(text);
    } catch {
      return this.#refuse("bytes as base64 text");
    }
  }

  /** The value if it is a boolean. */
  boolean(): boolean {
    return typeof this.value === "boolean" ? this.value : this.#refuse("a boolean");
  }

  /** The elements if it is an array. */
  array(): Argument[] {
    if (!Array.isArray(this.value)) return this.#refuse("an array");
    return this.value.map((element, i) =>
      new Argument(element, `${this.#name}[${i}]`, this.#method)
    );
  }

  /** The elements if it is an array of exactly `length`. */
  sliceOfLength<Length extends number>(length: Length): TupleOf<Argument, Length> {
    const elements = this.array();
    return elements.length === length
      ? elements as unknown as TupleOf<Argument, Length>
      : this.#refuse(`an array of ${length}, not of ${elements.length}`);
  }

  /** Its fields if it is an object. */
  object(): ObjectArgument {
    const { value } = this;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return this.#refuse("an object");
    }
    return new ObjectArgument(value as Record<string, unknown>, this.#name, this.#method);
  }

  /** The function if it is one: calling it calls the function on the remote's side. */
  function(): Callback {
    return typeof this.value === "function" ? this.value as Callback : this.#refuse("a function");
  }

  #refuse(right: string): never {
    throw argumentError(this.#method, `${this.#name} must be ${right}, got ${kindOf(this.value)}`);
  }
}

/** The fields of an object argument. */
export class ObjectArgument {
  /** The object as it came. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly #name: string;
  readonly #method: string;

  /**
   * Wraps a value.
   *
   * @param name how error messages call it
   * @param method the method that was called with it
   */
  constructor(value: Readonly<Record<string, unknown>>, name: string, method = "") {
    this.value = value;
    this.#name = name;
    this.#method = method;
  }

  /** An own field, to be read with a check of its type; null when it is not there. */
  field(name: string): Argument {
    const value = Object.hasOwn(this.value, name) ? this.value[name] : undefined;
    return new Argument(value, `${this.#name}.${name}`, this.#method);
  }

  /** True if the object has the field. */
  has(name: string): boolean {
    return Object.hasOwn(this.value, name);
  }
}

/** An array of `Length` elements: a tuple where the length is known to the compiler. */
export type TupleOf<Element, Length extends number, Found extends readonly Element[] = []> =
  number extends Length ? readonly Element[]
    : Found["length"] extends Length ? Found
    : TupleOf<Element, Length, readonly [...Found, Element]>;

/** The arguments of a call. Iterate it, or ask for the number that the method takes. */
export class Args implements Iterable<Argument> {
  /** The values as they came, unchecked. */
  readonly values: readonly unknown[];
  readonly #method: string;

  /**
   * Wraps the arguments.
   *
   * @param values as they came
   * @param method the method that was called with them
   */
  constructor(values: readonly unknown[], method = "") {
    this.values = values;
    this.#method = method;
  }

  /** How many came. */
  get length(): number {
    return this.values.length;
  }

  /**
   * The only argument.
   *
   * @throws {KiteError} `argumentError` when there are none or more
   */
  one(): Argument {
    this.#expect(1);
    return new Argument(this.values[0], "argument", this.#method);
  }

  /**
   * The arguments when there are exactly `length`.
   *
   * @throws {KiteError} `argumentError` otherwise
   */
  sliceOfLength<Length extends number>(length: Length): TupleOf<Argument, Length> {
    this.#expect(length);
    return [...this] as unknown as TupleOf<Argument, Length>;
  }

  /** The argument at an index, null when it did not come. */
  at(index: number): Argument {
    return new Argument(this.values[index], `argument ${index + 1}`, this.#method);
  }

  /** Each argument in turn. */
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
