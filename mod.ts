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
// Kites, and the connections between them.
export { Kite } from "./src/kite.ts";
export type { CloseOptions, KiteOptions } from "./src/kite_options.ts";
export type { Config, ConfigOptions } from "./src/config_options.ts";
export type { TlsFiles, TlsPair } from "./src/config_files.ts";
export { DEFAULT_LIMITS, type Limits } from "./src/protocol/limits.ts";
export type { KiteIdentity } from "./src/protocol/identity.ts";
export type { Server } from "./src/server.ts";
export type { HttpHandler } from "./src/endpoint.ts";
export type { RequestInfo, SockJsOptions } from "./src/transport/sockjs/server/mod.ts";
export type { ServerSocket, SocketEvent, Upgrade } from "./src/runtime/upgrade.ts";
export type { Client } from "./src/client.ts";
export type { ClientOptions, ClientState, DialOptions } from "./src/client_options.ts";
export type { BackoffOptions } from "./src/backoff.ts";
export type { Connection } from "./src/connection.ts";
export type { ClientTransport } from "./src/transport/dial.ts";
export { webSocketSession } from "./src/transport/websocket/existing.ts";
export type { Connect } from "./src/transport/custom.ts";
export type { Message } from "./src/transport/message.ts";
export type { CloseInfo, Session, SessionHandler, TransportName } from "./src/transport/session.ts";

// Calls and methods.
export type { Metadata } from "./src/rpc/metadata.ts";
export type { ApiOptions, CallScope, RemoteKite, TellOptions } from "./src/rpc/remote.ts";
export type { RemoteFunction } from "./src/rpc/remote_functions.ts";
export type { RemoteStream } from "./src/rpc/remote_stream.ts";
export { type Tracked, tracked } from "./src/rpc/tracked.ts";
export type { KiteRequest } from "./src/rpc/request.ts";
export type { Args, Argument, ObjectArgument, TupleOf } from "./src/rpc/args.ts";
export type { FinalHandler, Handler, Method, MethodHandling, Outcome } from "./src/rpc/method.ts";
export type { Callback } from "./src/dnode/scrub.ts";
export {
  type AnyErrorType,
  KiteError,
  type KiteErrorOptions,
  type KiteErrorType,
} from "./src/protocol/errors.ts";
export { VERSION } from "./src/protocol/package_version.ts";
export { decodeBytes, encodeBytes } from "./src/protocol/bytes.ts";
export type { BuiltinPermissions, Permission } from "./src/builtins/mod.ts";

// Contracts: typed methods.
export { callback, contract, method, type } from "./src/contract/contract.ts";
export type {
  CallOf,
  CallOptions,
  ImplementArguments,
  Implementation,
  ImplementOf,
  Items,
} from "./src/contract/contract.ts";
export type { ImplementOptions } from "./src/contract/handler.ts";
export type { ImplementedMethods } from "./src/contract/implement.ts";
export type { Description, JsonSchema, MethodDescription } from "./src/contract/describe.ts";
export type {
  Api,
  Contract,
  ContractMethod,
  MethodSchemas,
  Schema,
} from "./src/rpc/contract_types.ts";

// Authentication.
export type { Authentication } from "./src/rpc/codec.ts";
export type { Authenticator } from "./src/rpc/authenticators.ts";
export type { AudienceCheck, AudienceIdentity } from "./src/auth/audience.ts";
export type { KontrolKeyCheck } from "./src/auth/kite_key_verifier.ts";

// Kontrol: registering and finding kites.
export type { KontrolQuery } from "./src/protocol/query.ts";
export type {
  GetTokenOptions,
  TypedClient,
  TypedKiteEvent,
  WaitOptions,
  WithContract,
} from "./src/discovery/options.ts";
export type { KiteEvent, KiteWatch } from "./src/discovery/watch.ts";
export type { FoundKite } from "./src/discovery/found_kites.ts";
export type { RegisterResult } from "./src/discovery/register_result.ts";
export type { ProxyRegistrationOptions } from "./src/discovery/proxy_registration.ts";

// The log.
export { KiteLogger, type Logger, type LoggerOptions } from "./src/log.ts";
export type { LogLevel } from "./src/log_level.ts";
