import type { FoundFunction } from "../dnode/scrub.ts";
import { stringify } from "../dnode/scrub.ts";
import { isTooDeepToParse, nestsDeeperThan } from "../protocol/nesting.ts";
import {
  type CallbackPlace,
  placeCallbacks,
  placeLinks,
  readCallbacks,
  type RemoteValues,
} from "../dnode/unscrub.ts";
import type { KiteErrorType } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { Limits } from "../protocol/limits.ts";
import type { Authentication, Codec, Incoming, OutgoingRequest, RequestHead } from "./codec.ts";
import { readHead, readTimeout } from "./head.ts";
import type { HeadMemo } from "./head_memo.ts";
import { type Metadata, readOutcome } from "./metadata.ts";

/** Methods that cancel calls, or release and revoke functions. They are not answered. */
const CANCEL = "kite.cancel";
const CAN = "kite.can";
const RELEASE = "kite.release";
const REVOKE = "kite.revoke";

/** Encodes and decodes dnode messages, compatible with Go and kite.js (docs/protocol.md §2–§4). */
export class DnodeCodec implements Codec {
  readonly #limits: Limits;
  readonly #memo: HeadMemo | undefined;

  /** @param memo remembers the head of the remote's requests, for a remote that sends many */
  constructor(limits: Limits, memo?: HeadMemo) {
    this.#limits = limits;
    this.#memo = memo;
  }

  head(kite: KiteIdentity, authentication: Authentication | undefined): RequestHead {
    const text = `"kite":${JSON.stringify(kite)},"authentication":${
      JSON.stringify(authentication ?? null)
    },`;
    return { text };
  }

  request(request: OutgoingRequest): string {
    const { method, head, args, responseId, functions, ids, timeout = 0 } = request;
    const wait = timeout > 0 && timeout < Infinity ? `,"timeout":${Math.ceil(timeout)}` : "";
    const meta = request.meta === undefined ? "" : `,"meta":${JSON.stringify(request.meta)}`;
    const more = wait + meta + canText(request.can);
    const places = callbacksText(functions, ids, '0,"withArgs",');
    return `{"method":${JSON.stringify(method)},"arguments":[{${head.text}"withArgs":` +
      `${stringify(args, functions)},"responseCallback":"[Function]"${more}}],` +
      `"callbacks":{"${responseId}":[0,"responseCallback"]${places === "" ? "" : "," + places}}}`;
  }

  result(
    responseId: number,
    result: unknown,
    functions: readonly FoundFunction[],
    ids: readonly number[],
    can?: string,
  ): string {
    return `{"method":${responseId},"arguments":[{"error":null,"result":${
      stringify(result, functions)
    }${canText(can)}}],"callbacks":{${callbacksText(functions, ids, '0,"result",')}}}`;
  }

  error(responseId: number, error: Readonly<Record<string, unknown>>, can?: string): string {
    return `{"method":${responseId},"arguments":[{"error":${JSON.stringify(error)},"result":null${
      canText(can)
    }}],"callbacks":{}}`;
  }

  cancel(responseId: number): string {
    return notification(CANCEL, [responseId]);
  }

  invoke(
    id: number,
    args: readonly unknown[],
    functions: readonly FoundFunction[],
    ids: readonly number[],
  ): string {
    return `{"method":${id},"arguments":${stringify(args, functions)},"callbacks":{${
      callbacksText(functions, ids, "")
    }}}`;
  }

  /** Names our extensions to a remote that waits for its first answer; `can` is JSON. */
  names(can: string): string {
    return `{"method":"${CAN}","arguments":[{"withArgs":${can}}],"callbacks":{}}`;
  }

  release(ids: readonly number[]): string {
    return notification(RELEASE, ids);
  }

  revoke(ids: readonly number[]): string {
    return notification(REVOKE, ids);
  }

  decode(text: string, remote: RemoteValues): Incoming {
    if (nestsDeeperThan(text, this.#limits.nesting)) return this.#tooDeep(text);
    const reduced = this.#memo?.reduce(text);
    const message = parseObject(reduced ?? text);
    if (typeof message === "string") return broken(message);
    return this.#read(message, text, reduced !== undefined, remote);
  }

  /** @param isReduced true if the head was removed from the text before it was parsed */
  #read(
    message: Message,
    text: string,
    isReduced: boolean,
    remote: RemoteValues,
  ): Incoming {
    const { method } = message;
    if (typeof method !== "string" && !isId(method)) return broken("method is no string and no id");
    const { callbacksPerMessage, nesting } = this.#limits;
    // The response callback does not count as a function of the caller.
    const places = readCallbacks(message.callbacks, callbacksPerMessage + 1, nesting);
    if (places === undefined) {
      const reason = `more than ${callbacksPerMessage} callbacks (limit: callbacksPerMessage)`;
      return this.#refused(message, "limitError", reason);
    }
    const args = message.arguments;
    if (typeof method === "number") {
      // The head was removed, but a second "method" makes it something other than a request.
      if (isReduced) return this.#read(parseWhole(text), text, false, remote);
      if (!Array.isArray(args)) {
        return this.#refused(message, "argumentError", "arguments is not an array");
      }
      this.#place(args, places, message.links, undefined, remote);
      return { kind: "invoke", id: method, args };
    }
    const responseId = findResponseId(places);
    const request: unknown = Array.isArray(args) ? args[0] : undefined;
    if (typeof request !== "object" || request === null || Array.isArray(request)) {
      return broken("arguments must be an array of one request object", responseId);
    }
    const changesHead = this.#memo?.mayChange(places, message.links) ?? false;
    if (changesHead && isReduced) {
      return this.#read(parseWhole(text), text, false, remote);
    }
    this.#place(args as unknown[], places, message.links, responseId, remote);
    return this.#request(method, request, responseId, isReduced || changesHead ? undefined : text);
  }

  /** @param newHead the message's text, if its head can be remembered */
  #request(
    method: string,
    request: RequestObject,
    responseId: number | undefined,
    newHead: string | undefined,
  ): Incoming {
    const { withArgs } = request;
    const args = Array.isArray(withArgs)
      ? withArgs
      : withArgs === undefined || withArgs === null
      ? []
      : [withArgs];
    const notice = responseId === undefined ? readNotice(method, args) : undefined;
    if (notice !== undefined) return notice;
    let meta: Metadata | undefined;
    if (request.meta !== undefined) {
      const outcome = readOutcome(request.meta, this.#limits);
      if (typeof outcome === "string") {
        return { kind: "broken", type: "limitError", reason: outcome, responseId };
      }
      meta = outcome;
    }
    const { nameLength } = this.#limits;
    const { kite, authentication } = this.#memo === undefined
      ? readHead(request, nameLength)
      : this.#memo.read(method, request, newHead, nameLength);
    const timeout = readTimeout(request.timeout);
    const { can } = request;
    return {
      kind: "request",
      method,
      kite,
      authentication,
      args,
      responseId,
      timeout,
      meta,
      can,
    };
  }

  /**
   * Refuses a message that is nested too deeply. Its caller gets an answer if its id can be found.
   */
  #tooDeep(text: string): Incoming {
    const reason = `message nested deeper than ${this.#limits.nesting} (limit: nesting)`;
    const message = isTooDeepToParse(text) ? "" : parseObject(text);
    return typeof message === "string"
      ? { kind: "broken", type: "limitError", reason }
      : this.#refused(message, "limitError", reason);
  }

  /** Returns which call or request a message belongs to that cannot be read. */
  #refused({ method, callbacks }: Message, type: KiteErrorType, reason: string): Incoming {
    if (isId(method)) return { kind: "broken", type, reason, callId: method };
    if (typeof method !== "string") return { kind: "broken", type, reason };
    const places = readCallbacks(callbacks, Infinity, this.#limits.nesting) ?? [];
    return { kind: "broken", type, reason, responseId: findResponseId(places) };
  }

  #place(
    args: unknown[],
    places: readonly CallbackPlace[],
    links: unknown,
    responseId: number | undefined,
    remote: RemoteValues,
  ): void {
    if (places.length > (responseId === undefined ? 0 : 1)) {
      const functions = responseId === undefined
        ? places
        : places.filter((place) => place.id !== responseId);
      placeCallbacks(args, functions, remote);
    }
    if (Array.isArray(links) && links.length > 0) {
      const { callbacksPerMessage, nesting } = this.#limits;
      placeLinks(args, links, callbacksPerMessage, nesting);
    }
  }
}

/** Reads a message that tells something and is not answered; undefined for others. */
function readNotice(method: string, args: readonly unknown[]): Incoming | undefined {
  switch (method) {
    case CANCEL:
      return isId(args[0]) ? { kind: "cancel", id: args[0] } : broken("no call to cancel is named");
    case CAN:
      return { kind: "can", names: args };
    case RELEASE:
      return { kind: "release", ids: args.filter(isId) };
    case REVOKE:
      return { kind: "revoke", ids: args.filter(isId) };
    default:
      return undefined;
  }
}

function notification(method: string, args: readonly number[]): string {
  return `{"method":"${method}","arguments":[{"withArgs":[${args}]}],"callbacks":{}}`;
}

/** Encodes the names of this side's extensions as a further member. */
export function canText(can: string | undefined): string {
  return can === undefined ? "" : `,"can":${can}`;
}

/** The options object of a request, unchecked. */
interface RequestObject {
  readonly kite?: unknown;
  readonly authentication?: unknown;
  readonly withArgs?: unknown;
  readonly timeout?: unknown;
  readonly meta?: unknown;
  readonly can?: unknown;
}

/** The members of a message, unchecked. */
interface Message {
  readonly method?: unknown;
  readonly arguments?: unknown;
  readonly callbacks?: unknown;
  readonly links?: unknown;
}

/** @returns the message, or why the text is not a JSON object */
function parseObject(text: string): Message | string {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return "message is not JSON";
  }
  if (typeof message === "object" && message !== null && !Array.isArray(message)) return message;
  return "message is not an object";
}

/** Parses a text from which a known head was removed. */
function parseWhole(text: string): Message {
  return JSON.parse(text);
}

function broken(reason: string, responseId?: number): Incoming {
  return responseId === undefined
    ? { kind: "broken", type: "argumentError", reason }
    : { kind: "broken", type: "argumentError", reason, responseId };
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function findResponseId(places: readonly CallbackPlace[]): number | undefined {
  for (const { id, path } of places) {
    if (path.length === 2 && path[1] === "responseCallback" && Number(path[0]) === 0) return id;
  }
  return undefined;
}

/** Encodes the members of `callbacks`, with `prefix` before each path. */
function callbacksText(
  functions: readonly FoundFunction[],
  ids: readonly number[],
  prefix: string,
): string {
  let text = "";
  for (let i = 0; i < functions.length; i++) {
    const path = JSON.stringify(functions[i]!.path).slice(1, -1);
    const steps = path === "" ? prefix.slice(0, -1) : prefix + path;
    text += `${text === "" ? "" : ","}"${ids[i]}":[${steps}]`;
  }
  return text;
}
