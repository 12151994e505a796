/**
 * Every limit of a kite, with its unit. Beyond a limit, calls fail with `limitError`, or the
 * session ends with the close code given at the field. No buffer grows without a limit.
 */
export interface Limits {
  /**
   * Bytes (UTF-8) of one message, checked before it is parsed. Close code 1009.
   *
   * @default 4_194_304
   */
  readonly messageBytes: number;
  /**
   * Depth of arrays and objects in one message. The message is refused.
   *
   * @default 512
   */
  readonly nesting: number;
  /**
   * Functions in one message. The message is refused.
   *
   * @default 256
   */
  readonly callbacksPerMessage: number;
  /**
   * Functions that one remote may still call. Above the limit, functions of ended calls are freed,
   * least recently used first. If there are none, calls and results fail with `limitError`.
   *
   * @default 10_000
   */
  readonly callbacksPerSession: number;
  /**
   * Open streams of one session, in both directions together. Further ones fail with `limitError`.
   *
   * @default 1_000
   */
  readonly streamsPerSession: number;
  /**
   * Items of one stream that are on their way or wait to be read. The producer waits.
   *
   * @default 1_024
   */
  readonly streamItems: number;
  /**
   * Bytes of one stream's items that wait to be read, and unsent bytes of a session at which the
   * producers of its streams wait.
   *
   * @default 1_048_576
   */
  readonly streamBytes: number;
  /**
   * Invocations of async callbacks waiting for their turn, per session. Close code 3008.
   *
   * @default 10_000
   */
  readonly queuedCallbacks: number;
  /**
   * Concurrent requests of one remote. Further ones are answered `requestLimitError`.
   *
   * @default 4_096
   */
  readonly inFlightRequests: number;
  /**
   * Bytes of messages from one remote whose requests, callbacks or stream items are running or
   * waiting. Further requests are answered `requestLimitError`; further callbacks end the session
   * with 3008; streams with further items fail with `limitError`.
   *
   * @default 16_777_216
   */
  readonly inFlightBytes: number;
  /**
   * `inFlightBytes` of all remotes of a kite together. Each remote may always use 64 KiB.
   *
   * @default 134_217_728
   */
  readonly totalInFlightBytes: number;
  /**
   * Waiting messages of one remote, which arrived faster than the event loop handles them, such as
   * many in one frame. They also count as bytes in flight. Close code 3008.
   *
   * @default 100_000
   */
  readonly queuedMessages: number;
  /**
   * Consecutive messages of one remote that cannot be read. Close code 3008.
   *
   * @default 100
   */
  readonly brokenMessages: number;
  /**
   * Outgoing calls on one connection that wait for an answer. Further ones fail with `limitError`.
   *
   * @default 65_536
   */
  readonly pendingCalls: number;
  /**
   * Calls that wait while a client redials. Further ones fail with `disconnect`.
   *
   * @default 1_000
   */
  readonly waitingCalls: number;
  /**
   * Bytes waiting to be sent, per session. Close code 1013 (slow reader).
   *
   * @default 16_777_216
   */
  readonly outgoingBytes: number;
  /**
   * Bytes of `xhr_send` and `jsonp_send` bodies that a server receives at the same time. Further
   * ones are answered HTTP 503, and their sessions end with close code 1013. All bodies of one
   * session together have the limit of a single body.
   *
   * @default 134_217_728
   */
  readonly incomingBytes: number;
  /**
   * The part of `incomingBytes` that one address may use (for IPv6, one /64 network).
   *
   * @default 33_554_432
   */
  readonly incomingBytesPerAddress: number;
  /**
   * Sessions of one server. At the limit, a new session replaces the HTTP session whose client has
   * been away longest, or is refused with HTTP 503.
   *
   * @default 20_000, or less if the process may open fewer files
   */
  readonly sessions: number;
  /**
   * Open connections of a server, not counting WebSockets. A further connection replaces the one
   * that has been idle longest, or waits until another one closes.
   *
   * @default 20_000, or less if the process may open fewer files
   */
  readonly connections: number;
  /**
   * Sessions of one address (for IPv6, one /64 network), with the same effect as `sessions`. Behind
   * a reverse proxy all sessions have its address; set this to the value of `sessions` there.
   *
   * @default half of `sessions`
   */
  readonly sessionsPerAddress: number;
  /**
   * Milliseconds within which a new session must send or receive its first message; 0 for no limit.
   * Close code 3008.
   *
   * @default 300_000
   */
  readonly firstMessage: number;
  /**
   * Entries of a call's metadata. The call is refused.
   *
   * @default 64
   */
  readonly metadataEntries: number;
  /**
   * Bytes of UTF-8 of all names and values in a call's metadata. The call is refused.
   *
   * @default 8_192
   */
  readonly metadataBytes: number;
  /**
   * Characters of a method's name, and of each field of an identity.
   *
   * @default 256
   */
  readonly nameLength: number;
}

/** The default of every limit. */
export const DEFAULT_LIMITS: Limits = Object.freeze({
  messageBytes: 4_194_304,
  nesting: 512,
  callbacksPerMessage: 256,
  callbacksPerSession: 10_000,
  streamsPerSession: 1_000,
  streamItems: 1_024,
  streamBytes: 1_048_576,
  queuedCallbacks: 10_000,
  inFlightRequests: 4_096,
  inFlightBytes: 16_777_216,
  totalInFlightBytes: 134_217_728,
  queuedMessages: 100_000,
  brokenMessages: 100,
  pendingCalls: 65_536,
  waitingCalls: 1_000,
  outgoingBytes: 16_777_216,
  incomingBytes: 134_217_728,
  incomingBytesPerAddress: 33_554_432,
  sessions: 20_000,
  connections: 20_000,
  sessionsPerAddress: 10_000,
  firstMessage: 300_000,
  metadataEntries: 64,
  metadataBytes: 8_192,
  nameLength: 256,
});

/** The minimum of file descriptors to keep free for files, outgoing connections and the runtime. */
const SPARE_DESCRIPTORS = 32;

/**
 * Returns the defaults for a process with a limit of open files. Sessions and connections together
 * leave a sixteenth of the descriptors free, at least 32.
 *
 * @param descriptors how many files the process may open; `undefined` if unknown
 *
 * @example
 * ```ts
 * import { defaultLimits } from "./limits.ts";
 *
 * console.assert(defaultLimits(1_024).sessions === 480);
 * console.assert(defaultLimits(undefined).sessions === 20_000);
 * ```
 */
export function defaultLimits(descriptors: number | undefined): Limits {
  if (descriptors === undefined) return DEFAULT_LIMITS;
  const spare = Math.max(SPARE_DESCRIPTORS, Math.ceil(descriptors / 16));
  const share = Math.max(1, Math.floor((descriptors - spare) / 2));
  const sessions = Math.min(DEFAULT_LIMITS.sessions, share);
  return Object.freeze({
    ...DEFAULT_LIMITS,
    sessions,
    sessionsPerAddress: Math.ceil(sessions / 2),
    connections: Math.min(DEFAULT_LIMITS.connections, share),
  });
}
