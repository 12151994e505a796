import { KiteError } from "../protocol/errors.ts";
import { builtinModule } from "./platform.ts";

/** Computes the SHA-256 of data that arrives in pieces. `crypto.subtle` needs all data at once. */
export class Sha256 {
  readonly #hash: import("node:crypto").Hash;

  /** @throws {KiteError} `configError` in browsers */
  constructor() {
    const crypto = builtinModule("node:crypto");
    if (crypto === undefined) {
      throw new KiteError("configError", "Cannot compute a SHA-256: node:crypto is missing here");
    }
    this.#hash = crypto.createHash("sha256");
  }

  /** Adds the next piece of the data. */
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Returns the hash in hexadecimal. Call it once, after the last piece. */
  hex(): string {
    return this.#hash.digest("hex");
  }
}
