import { type FoundFunction, stringify } from "../dnode/scrub.ts";
import { placeCallbacks, readCallbacks, type RemoteValues } from "../dnode/unscrub.ts";
import type { KiteErrorType } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { Limits } from "../protocol/limits.ts";
import type { Message } from "../transport/message.ts";
import type {
  Authentication,
  Codec,
  Incoming,
  IncomingBroken,
  OutgoingRequest,
  RequestHead,
} from "./codec.ts";
import { type Head, readHead, readTimeout } from "./head.ts";
import { type Metadata, readOutcome } from "./metadata.ts";

// The first element of a compact message (docs/protocol.md §8).
const HEAD = 0;
const REQUEST = 1;
const RESULT = 2;
const ERROR = 3;
const INVOKE = 4;
const CANCEL = 5;
const RELEASE = 6;
const REVOKE = 7;

/** The index of the element that may contain functions, in a request and in other messages. */
const ARGS_AT = 3;
const VALUE_AT = 2;

/** The optional last element of a message, unchecked. */
interface Extra {
  readonly callbacks?: unknown;
  readonly timeout?: unknown;
  readonly meta?: unknown;
}

/** Levels of nesting around arguments and results that only plain messages have. */
const LEVELS_SAVED = 2;

const NO_EXTRA: Extra = Object.freeze({});

/** Creates the codec of one conversation. */
export type NewCompactCodec = (limits: Limits) => CompactCodec;

/** See {@linkcode NewCompactCodec}. */
export const newCompactCodec: NewCompactCodec = (limits) => new CompactCodec(limits);

/** Encodes and decodes compact messages between kites of this library (docs/protocol.md §8). */
export class CompactCodec implements Codec {
  readonly #limits: Limits;
  /** The remote's latest head: who sends its requests. */
  #caller: Head;
  #callerTimeout: number | undefined;
  /** The timeout in this side's latest head, milliseconds. */
  #timeout = 0;
  /** The latest method and its JSON text, since callers often repeat a method. */
  #method = "";
  #methodText = '""';

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#caller = readHead({}, limits.nameLength);
  }

  head(
    kite: KiteIdentity,
    authentication: Authentication | undefined,
    timeout: number,
  ): RequestHead {
    this.#timeout = timeout;
    const head = { kite, authentication: authentication ?? null, timeout: stated(timeout) };
    return { text: "", message: `[${HEAD},${JSON.stringify(head)}]` };
  }

  request(request: OutgoingRequest): string {
    const { method, args, responseId, functions, ids, timeout = 0, meta } = request;
    if (method !== this.#method) {
      this.#methodText = JSON.stringify(method);
      this.#method = method;
    }
    let extra = callbacksText(functions, ids, ARGS_AT);
    if (timeout !== this.#timeout) extra = joined(extra, `"timeout":${stated(timeout) ?? 0}`);
    if (meta !== undefined) extra = joined(extra, `"meta":${JSON.stringify(meta)}`);
    return `[${REQUEST},${responseId},${this.#methodText},${stringify(args, functions)}${
      extraText(extra)
    }]`;
  }

  result(
    responseId: number,
    result: unknown,
    functions: readonly FoundFunction[],
    ids: readonly number[],
  ): string {
    return `[${RESULT},${responseId},${stringify(result, functions)}${
      extraText(callbacksText(functions, ids, VALUE_AT))
    }]`;
  }

  /** Encodes a successful answer whose result is already encoded as JSON. */
  rawResult(responseId: number, json: string): string {
    return `[${RESULT},${responseId},${json}]`;
  }

  error(responseId: number, error: Readonly<Record<string, unknown>>): string {
    return `[${ERROR},${responseId},${JSON.stringify(error)}]`;
  }

  cancel(responseId: number): string {
    return `[${CANCEL},${responseId}]`;
  }

  release(ids: readonly number[]): string {
    return `[${RELEASE},[${ids}]]`;
  }

  revoke(ids: readonly number[]): string {
    return `[${REVOKE},[${ids}]]`;
  }

  invoke(
    id: number,
    args: readonly unknown[],
    functions: readonly FoundFunction[],
    ids: readonly number[],
  ): string {
    return `[${INVOKE},${id},${stringify(args, functions)}${
      extraText(callbacksText(functions, ids, VALUE_AT))
    }]`;
  }

  /**
   * Decodes a message. Never throws.
   *
   * @param message its elements; the functions in it are replaced in place
   * @param remote creates the local functions and streams that represent those of the remote
   */
  decode(message: unknown[], remote: RemoteValues): Incoming {
    const [kind, id] = message;
    switch (kind) {
      case REQUEST:
        return this.#request(message, remote);
      case RESULT:
        if (!isId(id)) return broken("an answer without an id");
        return this.#place(message, VALUE_AT, remote) ??
          { kind: "result", id, result: message[VALUE_AT] };
      case ERROR:
        return isId(id)
          ? { kind: "error", id, error: message[VALUE_AT] }
          : broken("an answer without an id");
      case INVOKE: {
        const args = message[VALUE_AT];
        if (!isId(id) || !Array.isArray(args)) return broken("no id, or arguments is not an array");
        return this.#place(message, VALUE_AT, remote) ?? { kind: "invoke", id, args };
      }
      case CANCEL:
        return isId(id) ? { kind: "cancel", id } : broken("no call to cancel is named");
      case RELEASE:
        return Array.isArray(id)
          ? { kind: "release", ids: id.filter(isId) }
          : broken("no functions to release are named");
      case REVOKE:
        return Array.isArray(id)
          ? { kind: "revoke", ids: id.filter(isId) }
          : broken("no functions to revoke are named");
      case HEAD:
        return this.#readHead(id);
      default:
        return broken("no kind of message that is known");
    }
  }

  /** Returns how many levels of nesting fewer a message has than the same message in plain form. */
  levelsSaved(message: readonly unknown[]): number {
    return message[0] === INVOKE ? 0 : LEVELS_SAVED;
  }

  /** Returns which call or request a message belongs to that cannot be read. */
  refused(message: Message, type: KiteErrorType, reason: string): IncomingBroken {
    const [kind, id] = message;
    const refusal = { kind: "broken", type, reason } as const;
    if (!isId(id)) return refusal;
    if (kind === REQUEST) return { ...refusal, responseId: id };
    const isAnswer = kind === RESULT || kind === ERROR;
    return isAnswer ? { ...refusal, callId: id } : refusal;
  }

  #request(message: unknown[], remote: RemoteValues): Incoming {
    const [, id, method, args] = message;
    const isAnswered = isId(id);
    if (!isAnswered && id !== null) return broken("a request without an id");
    if (typeof method !== "string" || !Array.isArray(args)) {
      const reason = "a request must have a method's name and an array of arguments";
      return this.refused(message, "argumentError", reason);
    }
    let timeout = this.#callerTimeout;
    let meta: Metadata | undefined;
    if (message.length > ARGS_AT + 1) {
      const refusal = this.#place(message, ARGS_AT, remote);
      if (refusal !== undefined) return refusal;
      const extra = readExtra(message[ARGS_AT + 1]);
      if (extra.timeout !== undefined) timeout = readTimeout(extra.timeout);
      if (extra.meta !== undefined) {
        const outcome = readOutcome(extra.meta, this.#limits);
        if (typeof outcome === "string") return this.refused(message, "limitError", outcome);
        meta = outcome;
      }
    }
    const { kite, authentication } = this.#caller;
    return {
      kind: "request",
      method,
      kite,
      authentication,
      args,
      responseId: isAnswered ? id : undefined,
      timeout,
      meta,
      can: undefined,
    };
  }

  #readHead(value: unknown): Incoming {
    if (typeof value !== "object" || value === null) return broken("a head must be an object");
    this.#caller = readHead(value, this.#limits.nameLength);
    this.#callerTimeout = readTimeout((value as { timeout?: unknown }).timeout);
    return { kind: "none" };
  }

  /**
   * Puts functions into the element at an index of a message.
   *
   * @returns why the message is refused, or undefined
   */
  #place(message: unknown[], index: number, remote: RemoteValues): Incoming | undefined {
    if (message.length === index + 1) return undefined;
    const { callbacks } = readExtra(message[index + 1]);
    if (callbacks === undefined) return undefined;
    const { callbacksPerMessage, nesting } = this.#limits;
    const places = readCallbacks(callbacks, callbacksPerMessage, nesting);
    if (places === undefined) {
      const reason = `more than ${callbacksPerMessage} callbacks (limit: callbacksPerMessage)`;
      return this.refused(message, "limitError", reason);
    }
    // Arguments are always an array, but a result may itself be a function.
    const least = message[0] === RESULT ? 1 : 2;
    const within = places.filter(({ path }) => path[0] === index && path.length >= least);
    placeCallbacks(message, within, remote);
    return undefined;
  }
}

function readExtra(value: unknown): Extra {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : NO_EXTRA;
}

function broken(reason: string): Incoming {
  return { kind: "broken", type: "argumentError", reason };
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Returns a timeout in the form in which it is sent; undefined for no limit. */
function stated(timeout: number): number | undefined {
  return timeout > 0 && timeout < Infinity ? Math.ceil(timeout) : undefined;
}

/** Encodes the paths of functions, which start at the message. */
function callbacksText(
  functions: readonly FoundFunction[],
  ids: readonly number[],
  index: number,
): string {
  if (functions.length === 0) return "";
  const members = functions.map(({ path }, i) => `"${ids[i]}":${JSON.stringify([index, ...path])}`);
  return `"callbacks":{${members.join(",")}}`;
}

function joined(members: string, member: string): string {
  return members === "" ? member : `${members},${member}`;
}

function extraText(members: string): string {
  return members === "" ? "" : `,{${members}}`;
}
