import { KiteError } from "../../protocol/errors.ts";
import { isPrivateAddress } from "../../runtime/forwarding/addresses.ts";
import type { Upstream } from "../../runtime/forwarding/types.ts";
import { readTarget } from "../target.ts";

const LONGEST_URL = 2_048;
const SECURE: Readonly<Record<string, boolean>> = {
  "http:": false,
  "ws:": false,
  "https:": true,
  "wss:": true,
};

/** The address of a registered kite. */
export interface KitePlace {
  readonly upstream: Upstream;
  /** The path of its URL, without a slash at its end. */
  readonly path: string;
}

/**
 * Reads the URL that a kite registers.
 *
 * @param publicOnly whether to refuse private addresses
 * @throws {KiteError} `argumentError` that says what is accepted
 */
export function readKiteUrl(text: string, publicOnly: boolean): KitePlace {
  const url = text.length <= LONGEST_URL && URL.canParse(text) ? new URL(text) : undefined;
  const secure = url && SECURE[url.protocol];
  if (url === undefined || secure === undefined) {
    throw refusal("must be an http, https, ws or wss URL");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw refusal("must have no user, password, query or fragment");
  }
  if (readTarget(url.pathname) === undefined) throw refusal("must have a plain path");
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  if (publicOnly && isPrivateAddress(hostname)) throw refusal("must not be a private address");
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  return {
    upstream: { hostname, port, secure, publicOnly },
    path: url.pathname.replace(/\/$/, ""),
  };
}

function refusal(right: string): KiteError {
  return new KiteError("argumentError", `Cannot register the kite's URL: it ${right}`);
}
