/**
 * Kite for Deno: services, browsers and Go kites that call each other's functions, both ways.
 *
 * @example
 * ```ts
 * import { Kite } from "@kite/kite";
 *
 * const math = new Kite("math", "1.0.0", { ip: "127.0.0.1" });
 * math.handle("square", ({ args }) => args.one().number() ** 2).disableAuthentication();
 * await using server = await math.listen();
 *
 * await using remote = new Kite("exp2", "1.0.0").newClient(server.url);
 * await remote.dial();
 * console.assert(await remote.tell("square", 4) === 16);
 * ```
 *
 * @module
 */
export { type CloseOptions, Kite, type KiteEvents, type KiteOptions } from "./src/kite.ts";
export { Client, type ClientEvents, type ClientOptions, type ClientState } from "./src/client.ts";
export type { Connection } from "./src/connection.ts";
export type { Server } from "./src/server.ts";
export type { RemoteKite, TellOptions } from "./src/rpc/remote.ts";
export type { KiteRequest } from "./src/rpc/request.ts";
export type { Args, Argument, ObjectArgument } from "./src/rpc/args.ts";
export type { FinalHandler, Handler, Method, MethodHandling, Outcome } from "./src/rpc/method.ts";
export type { Authentication } from "./src/rpc/codec.ts";
export type { BackoffOptions } from "./src/rpc/backoff.ts";
export type { Authenticator } from "./src/authenticators.ts";
export type { BuiltinPermissions, Permission, RiskyBuiltin } from "./src/builtins/mod.ts";
export { KiteError, type KiteErrorOptions, type KiteErrorType } from "./src/protocol/errors.ts";
export { DEFAULT_LIMITS, type Limits } from "./src/protocol/limits.ts";
export type { KiteIdentity } from "./src/protocol/identity.ts";
