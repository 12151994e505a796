import { KiteError, messageOf } from "../protocol/errors.ts";
import type { ListenOptions } from "./serving.ts";

/**
 * Creates the error for an address that cannot be listened on.
 *
 * @param code the code of the system's error, such as "EADDRINUSE"
 */
export function cannotListen(code: string, cause: unknown, options: ListenOptions): KiteError {
  const { hostname, port, tls } = options;
  // The message of TLS errors may contain a part of the certificate or key.
  const reason = reasonFor(code) ??
    (tls === undefined ? messageOf(cause) : "the certificate or its private key is not valid");
  const message = `Cannot listen on port ${port} of ${hostname}: ${reason}`;
  return new KiteError("configError", message, { cause });
}

function reasonFor(code: string): string | undefined {
  switch (code) {
    case "EADDRINUSE":
      return "it is in use; choose another port, or 0 for any free port";
    case "EADDRNOTAVAIL":
      return "this machine has no such address; 0.0.0.0 stands for all of its addresses";
    case "NotCapable":
      return "Deno needs --allow-net for it";
    case "EACCES":
      return "this user may not use it; choose a port from 1024 on";
    default:
      return undefined;
  }
}
