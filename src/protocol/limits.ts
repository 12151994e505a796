/**
 * Every bound a kite keeps, with its unit. Passing one is answered with a `limitError`, or ends the
 * session with the close code named at the field; nothing is ever buffered without end.
 */
export interface Limits {
  /** One dnode message, bytes of UTF-8, checked before it is parsed. Close code 1009. @default 4_194_304 */
  readonly messageBytes: number;
  /** Depth of arrays and objects in one message. The message is refused. @default 512 */
  readonly nesting: number;
  /** Functions in one message. The message is refused. @default 256 */
  readonly callbacksPerMessage: number;
  /**
   * Functions that one remote may still call. Beyond, functions of ended calls are freed, unused
   * longest first; when there are none, calls and results fail with `limitError`.
   * @default 10_000
   */
  readonly callbacksPerSession: number;
  /**
   * Streams of one session that are open, those of both sides together. Further ones fail with
   * `limitError`.
   * @default 1_000
   */
  readonly streamsPerSession: number;
  /** Items of one stream that are under way or wait to be read. The producer waits. @default 1_024 */
  readonly streamItems: number;
  /**
   * Bytes of one stream's items that wait to be read, and unsent bytes of a session that streams
   * add to. The producer waits.
   * @default 1_048_576
   */
  readonly streamBytes: number;
  /** Invocations of async callbacks waiting for their turn, per session. Close code 3008. @default 10_000 */
  readonly queuedCallbacks: number;
  /** Requests of one remote that run at once. Further ones are answered `requestLimitError`. @default 4_096 */
  readonly inFlightRequests: number;
  /**
   * Bytes of the messages that one remote's running requests, callbacks that run or wait, and items
   * of streams that wait came in. Requests beyond are answered `requestLimitError`; with callbacks
   * beyond the session ends (close code 3008), and streams beyond fail with `limitError`.
   * @default 16_777_216
   */
  readonly inFlightBytes: number;
  /**
   * The same for all remotes of a kite together; each remote may always use 64 KiB.
   * @default 134_217_728
   */
  readonly totalInFlightBytes: number;
  /**
   * Messages of one remote that wait because they came faster than one turn of the event loop
   * handles them, such as many in one frame. They also count as bytes in flight. Close code 3008.
   * @default 100_000
   */
  readonly queuedMessages: number;
  /** Messages of one remote in a row that cannot be read. Close code 3008. @default 100 */
  readonly brokenMessages: number;
  /** Calls of ours on one connection that wait for an answer. Further ones fail with `limitError`. @default 65_536 */
  readonly pendingCalls: number;
  /** Calls that wait while a client redials. Further ones fail with `disconnect`. @default 1_000 */
  readonly waitingCalls: number;
  /** Bytes accepted but not yet taken by the network, per session. Close code 1013 (slow reader). @default 16_777_216 */
  readonly outgoingBytes: number;
  /**
   * Bytes of `xhr_send` and `jsonp_send` bodies that a server is receiving at once. Further ones are
   * answered HTTP 503, and their sessions end with close code 1013. The bodies of one session may
   * hold together what a single one may. @default 134_217_728
   */
  readonly incomingBytes: number;
  /** The part of `incomingBytes` that one address may use (of IPv6, one /64). @default 33_554_432 */
  readonly incomingBytesPerAddress: number;
  /**
   * Sessions of one server. Beyond, a new one takes the place of the HTTP session whose client has
   * been away for the longest time, or is refused with HTTP 503. @default 20_000, or less where the
   * process may open fewer files
   */
  readonly sessions: number;
  /**
   * Connections that a server has open at once, without those that have become WebSockets. A further
   * one takes the place of the one that has been without a request for the longest time, or waits
   * until there is room. @default 20_000, or less where the process may open fewer files
   */
  readonly connections: number;
  /**
   * Sessions of one address (of IPv6, one /64), with the same consequence as `sessions`. Behind a
   * reverse proxy all sessions have its address: set it to `sessions` there. @default half of `sessions`
   */
  readonly sessionsPerAddress: number;
  /** Milliseconds in which a new session must see its first message, either way; 0 for no bound. Close code 3008. @default 300_000 */
  readonly firstMessage: number;
  /** Characters of a method's name, and of each field of an identity. @default 256 */
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
  nameLength: 256,
});

/** File descriptors that are left for files, dials and the runtime: at least this many. */
const SPARE_DESCRIPTORS = 32;

/**
 * The defaults in a process that may have so many file descriptors: all sessions and connections
 * together leave at least 32 of them, or a sixteenth, free.
 *
 * @param descriptors `undefined` when it is not known
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
