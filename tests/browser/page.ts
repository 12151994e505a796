/** The script of the test page. Tests reach what it exports through `globalThis.page`. */
import { compactMessages, contract, Kite, KiteError, method, type } from "../../client.ts";

const exported = { compactMessages, Kite, KiteError, contract, method, type };

declare global {
  /** What the script of the test page exports. */
  var page: typeof exported;
}

globalThis.page = exported;
