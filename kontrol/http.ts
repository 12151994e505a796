import { Hono } from "hono";
import { KiteError } from "../src/protocol/errors.ts";
import { readIdentity } from "../src/protocol/identity.ts";
import { readBody } from "../src/transport/sockjs/server/body.ts";
import type { HeartbeatTokens } from "./heartbeat_tokens.ts";
import { createJwks } from "./jwks.ts";
import { largest } from "./metrics.ts";
import type { KontrolService } from "./service.ts";
import type { CallerWatches } from "./caller_watches.ts";

/** Bytes of a registration, at most. */
const BODY_BYTES = 65_536;

/** Milliseconds in which the body of a request must have arrived. */
const BODY_TIMEOUT = 10_000;

const REFUSALS = Object.freeze({
  400: "the registration broke off",
  408: "the registration came too slowly",
  413: `a registration has at most ${BODY_BYTES} bytes`,
  503: "too many registrations at once",
});

/** The HTTP side of a Kontrol (docs/kontrol-protocol.md §3): the paths beside the kite's own. */
export function createHttp(
  service: KontrolService,
  watchers: CallerWatches,
  heartbeats: HeartbeatTokens,
  onError: (what: string, error: unknown) => void,
): Hono {
  const app = new Hono();
  const { storage, registry, keys, metrics, tokens, budgets } = service.parts;
  app.post("/register", async (context) => {
    const read = await readBody(context.req.raw, {
      limit: BODY_BYTES,
      timeout: BODY_TIMEOUT,
    });
    if ("status" in read) return context.json({ err: REFUSALS[read.status] }, read.status);
    const body = parseBody(read.text);
    const url = typeof body.url === "string" ? body.url : "";
    const kiteKey = readKiteKey(body.auth);
    // Not cut as in a call, where it is a mere claim: what is too long is refused.
    const claimed = readIdentity(body.kite, Infinity);
    const verified = await service.verify(kiteKey, () => "a kite that registers over HTTP");
    const { username } = verified;
    const kite = { ...claimed, username, id: claimed.id.toLowerCase() };
    // Of new keys the kite.key alone, as in Go: it holds the public key.
    const { publicKey: _publicKey, ...answer } = await service.register({
      caller: { username, kite },
      kontrolKey: verified.kontrolKey,
      trustedKey: typeof body.handoverFrom === "string" ? body.handoverFrom : undefined,
      url,
      keeper: "http",
    });
    if (body.heartbeatToken !== true) return context.json(answer);
    return context.json({ ...answer, heartbeatToken: await heartbeats.issue(kite.id) });
  });
  app.get("/heartbeat", async (context) => {
    const id = (context.req.query("id") ?? "").toLowerCase();
    if (id === "") return context.json({ err: "id is missing: /heartbeat?id=ID" }, 400);
    metrics.count("heartbeats");
    return context.text(
      await heartbeats.heard(id, context.req.query("token")) ? "pong" : "registeragain",
    );
  });
  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/readyz", async (context) => {
    try {
      await storage.ready();
      return context.text("ok\n");
    } catch (error) {
      return context.text(`${error instanceof Error ? error.message : String(error)}\n`, 503);
    }
  });
  app.get("/.well-known/jwks.json", async (context) => {
    context.header("cache-control", "public, max-age=60");
    return context.json(await createJwks(await keys.valid()));
  });
  app.get("/metrics", async (context) => {
    // Metrics matter most while the storage is away; `storage_errors` tells that it is.
    const counts = await storage.count().catch(() => new Map<string, number>());
    const text = metrics.text([
      {
        name: "kites",
        help: "Registered kites, by environment; those of small ones together",
        values: largest("environment", counts),
      },
      { name: "kites_kept", help: "Kites kept up by this Kontrol", values: [["", registry.size]] },
      { name: "watchers", help: "Watches that run here", values: [["", watchers.size]] },
      {
        name: "steps_waiting",
        help: "Steps of calls that wait for their user's turn",
        values: [["", budgets.turns.waiting]],
      },
      {
        name: "signatures_waiting",
        help: "Tokens that wait to be signed",
        values: [["", budgets.signing.waiting]],
      },
      { name: "tokens_signed", help: "Tokens signed here, ever", values: [["", tokens.signed]] },
    ]);
    return context.body(text, 200, { "content-type": "text/plain; version=0.0.4" });
  });
  app.onError((error, context) => {
    if (error instanceof KiteError) {
      return context.json({ err: error.message }, statusOf(error));
    }
    onError("an HTTP request failed", error);
    return context.json({ err: "internal error" }, 500);
  });
  app.notFound((context) => context.json({ err: "not found" }, 404));
  return app;
}

/** The paths that {@linkcode createHttp} serves. */
export const HTTP_PATHS: readonly string[] = Object.freeze([
  "/register",
  "/heartbeat",
  "/healthz",
  "/readyz",
  "/metrics",
  "/.well-known/jwks.json",
]);

function statusOf({ type }: KiteError): 400 | 401 | 403 | 429 | 500 | 503 {
  switch (type) {
    case "authenticationError":
      return 401;
    case "notAllowed":
      return 403;
    case "argumentError":
      return 400;
    case "limitError":
    case "requestLimitError":
      return 429;
    case "storageError":
      return 503;
    default:
      return 500;
  }
}

function parseBody(text: string): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && !Array.isArray(body)) {
      return body as Record<string, unknown>;
    }
  } catch {
    // The same answer as for JSON that is no object.
  }
  throw new KiteError("argumentError", "wrong register input: it must be a JSON object");
}

function readKiteKey(auth: unknown): string {
  const { type, key } = (auth ?? {}) as { type?: unknown; key?: unknown };
  if (type !== "kiteKey" || typeof key !== "string") {
    const given = typeof type === "string" ? type.slice(0, 64) : "none";
    throw new KiteError("argumentError", `unexpected authentication type: ${given}`);
  }
  return key;
}
