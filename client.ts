/**
 * Kite for web pages: a kite that calls other kites and is called back by them. It bundles without
 * what only servers need, and needs no polyfill.
 *
 * @example A page that calls a kite, and is called back by it
 * ```ts ignore
 * import { Kite } from "@kite/kite/client";
 *
 * const page = new Kite("page", "1.0.0");
 * page.handle("log", ({ args }) => console.log(args.one().string()));
 *
 * const math = page.newClient("http://localhost:3636/kite");
 * await math.dialForever();
 * console.log(await math.tell("square", 4)); // 16
 * ```
 *
 * @module
 */
export { Kite } from "./src/page/kite.ts";
export type { KiteOptions, PageClientOptions } from "./src/page/options.ts";
export { type CompactMessages, compactMessages } from "./src/page/compact.ts";
export type { Client } from "./src/client.ts";
export type { ClientOptions, ClientState, DialOptions } from "./src/client_options.ts";
export type { ApiOptions, RemoteKite, TellOptions } from "./src/rpc/remote.ts";
export type { KiteRequest } from "./src/rpc/request.ts";
export type { Args, Argument, ObjectArgument, TupleOf } from "./src/rpc/args.ts";
export type { FinalHandler, Handler, Method, Outcome } from "./src/rpc/method.ts";
export type { Authentication } from "./src/rpc/codec.ts";
export type { Callback } from "./src/dnode/scrub.ts";
export type { BackoffOptions } from "./src/backoff.ts";

export { callback, contract, method, type } from "./src/contract/contract.ts";
export type {
  CallOf,
  CallOptions,
  ImplementArguments,
  Implementation,
  ImplementOf,
} from "./src/contract/contract.ts";
export type { ImplementOptions } from "./src/contract/handler.ts";
export type { ImplementedMethods } from "./src/contract/implement.ts";
export type {
  Api,
  Contract,
  ContractMethod,
  MethodSchemas,
  Schema,
} from "./src/rpc/contract_types.ts";

export type {
  GetTokenOptions,
  TypedClient,
  TypedKiteEvent,
  WaitOptions,
  WithContract,
} from "./src/discovery/options.ts";
export type { KiteEvent, KiteWatch } from "./src/discovery/watch.ts";
export type { FoundKite } from "./src/discovery/found_kites.ts";

export type { Logger } from "./src/log.ts";
export type { LogLevel } from "./src/log_level.ts";
export { decodeBytes, encodeBytes } from "./src/protocol/bytes.ts";
export {
  type AnyErrorType,
  KiteError,
  type KiteErrorOptions,
  type KiteErrorType,
} from "./src/protocol/errors.ts";
export { DEFAULT_LIMITS, type Limits } from "./src/protocol/limits.ts";
export type { KiteIdentity } from "./src/protocol/identity.ts";
export type { KontrolQuery } from "./src/protocol/query.ts";
export type { ClientTransport } from "./src/transport/dial.ts";
export { webSocketSession } from "./src/transport/websocket/existing.ts";
export type { Connect } from "./src/transport/custom.ts";
export type { Message } from "./src/transport/message.ts";
export type { CloseInfo, Session, SessionHandler, TransportName } from "./src/transport/session.ts";
