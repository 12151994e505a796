import { decodeUpstream } from "../frames.ts";
import { type Body, readBody } from "./body.ts";
import { notFound, plain } from "./headers.ts";
import type { HttpSession } from "./http_session.ts";

/** Bytes that a percent-encoded form may take for each byte of what it carries. */
const FORM_GROWTH = 3;

const REFUSALS = {
  400: "Broken request body.",
  408: "Request body too slow.",
  413: "Payload too large.",
} as const;

/**
 * Takes the messages of an `xhr_send` or `jsonp_send` request.
 *
 * @param find looks the session up; asked again once the body is there
 * @param limit bytes of the payload
 * @param formField where a form carries the payload; `undefined` when the body itself is the payload
 * @param accepted the answer to a good request
 */
export async function acceptMessages(
  request: Request,
  find: () => HttpSession | undefined,
  limit: number,
  formField: string | undefined,
  headers: Headers,
  accepted: (headers: Headers) => Response,
): Promise<Response> {
  if (find() === undefined) {
    await request.body?.cancel();
    return notFound(headers);
  }
  const isForm = formField !== undefined && isUrlEncoded(request.headers.get("content-type"));
  const body: Body = await readBody(request, isForm ? limit * FORM_GROWTH : limit);
  const session = find();
  if (session === undefined) return notFound(headers);
  if ("status" in body) {
    // What was refused is missing from the conversation, which cannot go on without it.
    if (body.status === 413) session.refuseRequest();
    return plain(body.status, REFUSALS[body.status], headers);
  }
  const payload = isForm ? new URLSearchParams(body.text).get(formField) ?? "" : body.text;
  if (payload === "") return plain(500, "Payload expected.", headers);
  const messages = decodeUpstream(payload);
  if (messages === undefined) return plain(500, "Broken JSON encoding.", headers);
  // A session that is over takes no more, but its client learns of that where it waits for frames.
  return session.accept(messages) ? accepted(headers) : plain(413, REFUSALS[413], headers);
}

function isUrlEncoded(contentType: string | null): boolean {
  return contentType?.toLowerCase().startsWith("application/x-www-form-urlencoded") ?? false;
}
