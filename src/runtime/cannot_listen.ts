import { KiteError } from "../protocol/errors.ts";
import type { ListenOptions } from "./serving.ts";

/**
 * The error for an address that cannot be listened on.
 *
 * @param code the system's code, such as "EADDRINUSE"
 */
export function cannotListen(code: string, cause: unknown, options: ListenOptions): KiteError {
  const { hostname, port, tls } = options;
  const message = describe(code, `port ${port} on ${hostname}`, tls !== undefined) ??
    `port ${port} on ${hostname} cannot be listened on: ${String(cause)}`;
  return new KiteError("configError", message, { cause });
}

function describe(code: string, where: string, isTls: boolean): string | undefined {
  switch (code) {
    case "EADDRINUSE":
      return `${where} is in use; choose another one, or 0 for any that is free`;
    case "EADDRNOTAVAIL":
      return `${where}: this machine has no such address; 0.0.0.0 is right for all it has`;
    case "NotCapable":
      return `${where} may not be listened on: Deno needs --allow-net for it`;
    case "EACCES":
      return `${where} may not be listened on by this user; ports from 1024 on may`;
    default:
      // What TLS says of a certificate or key may hold a part of it.
      return isTls ? `${where}: the certificate or its private key is no good` : undefined;
  }
}
