import { Hono } from "hono";
import { KiteError, messageOf } from "../src/protocol/errors.ts";
import { readIdentity } from "../src/protocol/identity.ts";
import { readBody } from "../src/transport/sockjs/server/body.ts";
import type { Budgets } from "./budgets.ts";
import type { HeartbeatTokens } from "./heartbeat_tokens.ts";
import { createJwks } from "./jwks.ts";
import type { KeyRing } from "./key_ring.ts";
import { largest, type Metrics } from "./metrics.ts";
import type { Registry } from "./registry.ts";
import type { KontrolService } from "./service.ts";
import type { Storage } from "./storage/storage.ts";
import type { TokenIssuer } from "./tokens.ts";
import type { CallerWatches } from "./caller_watches.ts";

/** Maximum number of bytes of a registration. */
const BODY_BYTES = 65_536;

/** Milliseconds within which the body of a request must arrive. */
const BODY_TIMEOUT = 10_000;

/** The errors for registrations that could not be read, by HTTP status. */
const READ_ERRORS = Object.freeze({
  400: "Cannot read the registration: the body is incomplete",
  408: `Cannot read the registration: must arrive within ${BODY_TIMEOUT / 1_000} s`,
  413: `Cannot read the registration: must have at most ${BODY_BYTES} bytes`,
  503: "Cannot read the registration: too many are in progress",
});

/** The dependencies of {@linkcode createHttp}. */
export interface HttpOptions {
  readonly service: KontrolService;
  readonly storage: Storage;
  readonly registry: Registry;
  readonly keys: KeyRing;
  readonly metrics: Metrics;
  readonly tokens: TokenIssuer;
  readonly budgets: Budgets;
  readonly watches: CallerWatches;
  readonly heartbeats: HeartbeatTokens;
  /** Receives unexpected errors. */
  readonly onError: (what: string, error: unknown) => void;
}

/** Creates Kontrol's HTTP API (docs/kontrol-protocol.md §3), which its kite serves with its own paths. */
export function createHttp(options: HttpOptions): Hono {
  const { service, storage, registry, keys, metrics, tokens } = options;
  const { budgets, watches, heartbeats, onError } = options;
  const app = new Hono();
  app.post("/register", async (context) => {
    const read = await readBody(context.req.raw, {
      limit: BODY_BYTES,
      timeout: BODY_TIMEOUT,
    });
    if ("status" in read) return context.json({ err: READ_ERRORS[read.status] }, read.status);
    const body = parseBody(read.text);
    const url = typeof body.url === "string" ? body.url : "";
    const kiteKey = readKiteKey(body.auth);
    // Not truncated as in a call, where the identity is only a claim: long fields are rejected.
    const claimed = readIdentity(body.kite, Infinity);
    const verified = await service.verify(kiteKey, () => "a kite that registers over HTTP");
    const { username } = verified;
    const kite = { ...claimed, username, id: claimed.id.toLowerCase() };
    // Like the Go Kontrol, return new keys without the public key, which the kite.key contains.
    const { publicKey: _publicKey, ...answer } = await service.register({
      caller: { username, kite },
      kontrolKey: verified.kontrolKey,
      trustedKey: typeof body.handoverFrom === "string" ? body.handoverFrom : undefined,
      url,
      channel: "http",
    });
    if (body.heartbeatToken !== true) return context.json(answer);
    return context.json({ ...answer, heartbeatToken: await heartbeats.issue(kite.id) });
  });
  app.get("/heartbeat", async (context) => {
    const id = (context.req.query("id") ?? "").toLowerCase();
    if (id === "") {
      return context.json({ err: "Cannot accept the heartbeat: id is missing" }, 400);
    }
    metrics.count("heartbeats");
    return context.text(
      await heartbeats.accept(id, context.req.query("token")) ? "pong" : "registeragain",
    );
  });
  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/readyz", async (context) => {
    try {
      await storage.ready();
      return context.text("ok\n");
    } catch (error) {
      return context.text(`${messageOf(error)}\n`, 503);
    }
  });
  app.get("/.well-known/jwks.json", async (context) => {
    context.header("cache-control", "public, max-age=60");
    return context.json(await createJwks(await keys.valid()));
  });
  app.get("/metrics", async (context) => {
    // Metrics must work while the storage is unavailable, which `storage_errors` shows.
    const counts = await storage.count().catch(() => new Map<string, number>());
    const text = metrics.text([
      {
        name: "kites",
        help: "Registered kites by environment; small environments are combined",
        values: largest("environment", counts),
      },
      {
        name: "kites_kept",
        help: "Kites that send heartbeats to this Kontrol",
        values: [["", registry.size]],
      },
      { name: "watchers", help: "Running watches", values: [["", watches.size]] },
      {
        name: "steps_waiting",
        help: "Steps of calls that are waiting for their user's turn",
        values: [["", budgets.scheduler.waiting]],
      },
      {
        name: "signatures_waiting",
        help: "Tokens that are waiting to be signed",
        values: [["", budgets.signing.waiting]],
      },
      {
        name: "tokens_signed",
        help: "Tokens signed since the start",
        values: [["", tokens.signed]],
      },
    ]);
    return context.body(text, 200, { "content-type": "text/plain; version=0.0.4" });
  });
  app.onError((error, context) => {
    if (error instanceof KiteError) {
      return context.json({ err: error.message }, statusOf(error));
    }
    onError("Cannot answer an HTTP request", error);
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
    // The same error as for other JSON values.
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
