import type { AudienceCheck } from "./auth/audience.ts";
import type { KontrolKeyCheck } from "./auth/kite_key_verifier.ts";
import type { BuiltinPermissions } from "./builtins/mod.ts";
import type { ConfigOptions } from "./config.ts";
import type { Connection } from "./connection.ts";
import type { SockJsOptions } from "./endpoint.ts";
import type { Logger } from "./log.ts";
import type { MethodHandling } from "./rpc/method.ts";
import type { KiteRequest } from "./rpc/request.ts";
import type { Server } from "./server.ts";
import type { CloseInfo } from "./transport/session.ts";

/** The settings of a kite: where and as whom it runs, whom it trusts, how it serves. */
export interface KiteOptions extends ConfigOptions {
  /** The kite's id, a UUID. @default a new one */
  readonly id?: string;
  /** Let anyone call every method. @default false */
  readonly disableAuthentication?: boolean;
  /** Whose result answers a call when hooks return something too. @default "method" */
  readonly methodHandling?: MethodHandling;
  /** Start callbacks without waiting for an async one before them to finish. @default false */
  readonly concurrentCallbacks?: boolean;
  /** Which of the built-ins that reach the terminal or the network answer, and to whom. @default none */
  readonly builtins?: BuiltinPermissions;
  /** Pass WebRTC signalling messages on (`kite.handleWebRTC`). @default false */
  readonly webrtc?: boolean;
  /** Decides whether a Kontrol key other than our own is trusted, for `kiteKey` authentication. @default none is */
  readonly verify?: KontrolKeyCheck;
  /** Decides whether a token's audience covers this kite. @default the rule of the Go kite */
  readonly audience?: AudienceCheck;
  /**
   * Milliseconds for which a Kontrol key that was replaced is still trusted; the default covers every
   * token signed before the change. @default 176_400_000 (49 h)
   */
  readonly keyOverlap?: number;
  /**
   * Adopts a new Kontrol key only with a handover: a statement that the present key has signed. Set
   * it to false for a Kontrol that cannot sign one, and that the kite reaches over TLS or a trusted
   * network; to true to refuse such a Kontrol's changes of keys.
   *
   * @default true, unless the kite.key was issued by a Kontrol that signs no handovers, as Go's
   */
  readonly requireKeyHandover?: boolean;
  /** Takes tokens that never end, as the Go kite does. @default false */
  readonly allowTokensWithoutExpiry?: boolean;
  /** How far the clocks of two machines may differ, milliseconds. @default 0 */
  readonly clockTolerance?: number;
  /** Heartbeat, raw WebSocket and other settings of the SockJS side. */
  readonly sockjs?: SockJsOptions;
  /** A logger of your own. @default lines of text to standard error */
  readonly logger?: Logger;
}

/** What a kite tells its listeners. */
export interface KiteEvents {
  /** A remote dialled us. */
  connect: { readonly client: Connection };
  /** A remote made its first call on a connection. */
  firstRequest: { readonly request: KiteRequest };
  /** A remote that dialled us is gone. */
  disconnect: CloseInfo & { readonly client: Connection };
  /** Kontrol took our registration, under this URL. */
  register: { readonly url: string };
  /** The kite listens. */
  listen: { readonly server: Server };
  /** The kite has stopped listening. */
  close: Record<never, never>;
}

/** How {@linkcode Kite.close} ends what is running. */
export interface CloseOptions {
  /** Milliseconds that running calls are given to finish. @default 5_000 */
  readonly deadline?: number;
}

/** The options that {@linkcode resolveConfig} knows. */
export function configPart(options: KiteOptions): ConfigOptions {
  const {
    id: _id,
    disableAuthentication: _disableAuthentication,
    methodHandling: _methodHandling,
    concurrentCallbacks: _concurrentCallbacks,
    builtins: _builtins,
    webrtc: _webrtc,
    verify: _verify,
    audience: _audience,
    allowTokensWithoutExpiry: _allowTokensWithoutExpiry,
    clockTolerance: _clockTolerance,
    sockjs: _sockjs,
    keyOverlap: _keyOverlap,
    requireKeyHandover: _requireKeyHandover,
    logger: _logger,
    ...config
  } = options;
  return config;
}
