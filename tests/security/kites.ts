import { Kite } from "../../src/kite.ts";
import type { KiteOptions } from "../../src/kite_options.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import type { Logger } from "../../src/log.ts";

/** A logger that keeps what it is told. */
export function keepingLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (message: string): void => void lines.push(message);
  return { lines, fatal: keep, error: keep, warning: keep, info: () => {}, debug: () => {} };
}

/** A kite on loopback that answers a few methods for everyone. */
export function targetKite(options: KiteOptions = {}): Kite {
  const kite = new Kite("target", "1.0.0", {
    ip: "127.0.0.1",
    port: 0,
    kiteKey: "",
    logger: keepingLogger(),
    disableAuthentication: true,
    ...options,
  });
  kite.handle("square", ({ args }) => args.one().number() ** 2);
  kite.handle("echo", ({ args }) => args.one().value);
  kite.handle("whoami", ({ kite: { username } }) => username);
  kite.handle("throws", () => {
    throw new KiteError("genericError", "x");
  });
  return kite;
}

/** A kite that only calls. */
export function callingKite(options: KiteOptions = {}): Kite {
  return new Kite("caller", "1.0.0", { kiteKey: "", logger: keepingLogger(), ...options });
}
