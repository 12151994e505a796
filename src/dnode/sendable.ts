/** True for objects made by `{}` in any realm, and for objects without a prototype. */
export function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ||
    Object.getPrototypeOf(prototype) === null;
}

/** True for an instance of a class that keeps its state in ordinary properties. */
export function isPlainInstance(value: object): boolean {
  return Object.prototype.toString.call(value) === "[object Object]";
}

/** True if `JSON.stringify` would call the object's `toJSON`. */
export function hasToJson(value: object): boolean {
  return typeof (value as { toJSON?: unknown }).toJSON === "function";
}

/**
 * Returns what `JSON.stringify` would encode: the result of `toJSON`, or the value itself.
 *
 * @throws {TypeError} for an invalid `Date`, which would become `null`
 */
export function jsonValue(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !hasToJson(value)) return value;
  if (value instanceof Date && Number.isNaN(value.getTime())) {
    throw new TypeError("the Date is invalid");
  }
  return (value as { toJSON(): unknown }).toJSON();
}

/** Names a value that cannot be sent, for error messages: `NaN`, `a bigint`, `a Map`. */
export function nameOf(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null) return `a ${typeof value}`;
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  const name = tag === "Object" ? className(value) : tag;
  const hint = ArrayBuffer.isView(value) || value instanceof ArrayBuffer
    ? " (encodeBytes makes text of bytes)"
    : tag === "Promise"
    ? " (await it first)"
    : "";
  return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}${hint}`;
}

/** Names an instance of a class that has no data to send. */
function className(value: object): string {
  const { constructor } = value as { constructor?: unknown };
  const name = typeof constructor === "function" ? constructor.name : "";
  return `${name === "" ? "object" : name} without enumerable properties`;
}
