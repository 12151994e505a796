import { KiteError } from "../protocol/errors.ts";
import { builtinModule } from "./platform.ts";

/** A SHA-256 over data that comes in pieces, which the web's own digest cannot compute. */
export class Sha256 {
  readonly #hash: import("node:crypto").Hash;

  /** @throws {KiteError} `configError` in browsers */
  constructor() {
    const crypto = builtinModule("node:crypto");
    if (crypto === undefined) throw new KiteError("configError", "Cannot hash: needs node:crypto");
    this.#hash = crypto.createHash("sha256");
  }

  /** Adds a piece. */
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** The hash, hexadecimal. Ends the work. */
  hex(): string {
    return this.#hash.digest("hex");
  }
}
