import { decodeUpstream } from "../frames.ts";
import { type Body, readBody } from "./body.ts";
import { formField } from "./form.ts";
import { notFound, plain } from "./headers.ts";
import type { HttpSession } from "./http_session.ts";
import type { IncomingBytes } from "./incoming_bytes.ts";

/** Maximum growth of a payload through percent-encoding. */
const FORM_GROWTH = 3;

const REFUSALS = {
  400: "Broken request body.",
  408: "Request body too slow.",
  413: "Payload too large.",
  503: "Too many request bodies at once.",
} as const;

/** Options of {@linkcode acceptMessages}. */
export interface UpstreamOptions {
  /** Finds the session. Called again after the body has been received. */
  readonly find: () => HttpSession | undefined;
  /** Maximum bytes of the payload. */
  readonly limit: number;
  /** Milliseconds within which the body must arrive. */
  readonly timeout: number;
  /** Counts the bytes of all bodies that are being received. */
  readonly incoming: IncomingBytes;
  /** The form field of the payload; `undefined` if the body itself is the payload. */
  readonly field: string | undefined;
  /** Answers an accepted request. */
  readonly accepted: (headers: Headers) => Response;
}

/** Accepts the messages of an `xhr_send` or `jsonp_send` request. */
export async function acceptMessages(
  request: Request,
  headers: Headers,
  { find, limit, timeout, incoming, field, accepted }: UpstreamOptions,
): Promise<Response> {
  const receiver = find();
  if (receiver === undefined) {
    await request.body?.cancel();
    return notFound(headers);
  }
  const isForm = field !== undefined && isUrlEncoded(request.headers.get("content-type"));
  const bodyLimit = isForm ? limit * FORM_GROWTH : limit;
  let taken = 0;
  let body: Body;
  try {
    body = await readBody(request, {
      limit: bodyLimit,
      timeout,
      take: (bytes) => {
        if (!incoming.take(receiver, bytes, bodyLimit)) return false;
        taken += bytes;
        return true;
      },
    });
  } finally {
    incoming.release(receiver, taken);
  }
  const session = find();
  if (session === undefined) return notFound(headers);
  if ("status" in body) {
    // The conversation cannot continue without the refused messages.
    if (body.status !== 400) session.refuseRequest(body.status);
    return plain(body.status, REFUSALS[body.status], headers);
  }
  const payload = isForm ? formField(body.text, field) ?? "" : body.text;
  if (payload === "") return plain(500, "Payload expected.", headers);
  const messages = decodeUpstream(payload);
  if (messages === undefined) return plain(500, "Broken JSON encoding.", headers);
  // An ended session ignores messages; its client is notified by its next request for frames.
  return session.accept(payload, messages) ? accepted(headers) : plain(413, REFUSALS[413], headers);
}

function isUrlEncoded(contentType: string | null): boolean {
  return contentType?.toLowerCase().startsWith("application/x-www-form-urlencoded") ?? false;
}
