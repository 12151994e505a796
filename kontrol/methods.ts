import { readTokenClaims } from "../src/auth/jwt.ts";
import { KiteError, messageOf } from "../src/protocol/errors.ts";
import { validateField } from "../src/protocol/identity.ts";
import type { Kite } from "../src/kite.ts";
import type { Callback } from "../src/dnode/scrub.ts";
import type { KiteRequest } from "../src/rpc/request.ts";
import type { RemoteKite } from "../src/rpc/remote.ts";
import { AnswerThrottle } from "./answer_throttle.ts";
import { checkVisible } from "./checks.ts";
import type { FairScheduler } from "./fair_scheduler.ts";
import type { Caller } from "./policy.ts";
import type { Metrics } from "./metrics.ts";
import type { LastHeartbeat, Registry } from "./registry.ts";
import type { KontrolService } from "./service.ts";
import type { StoredKeyPair } from "./storage/storage.ts";
import type { CallerWatches } from "./caller_watches.ts";

/** A request for a kite.key. */
export interface MachineRequest {
  /** The kind of authentication that the client offers; `""` if it named none. */
  readonly authType: string;
  /** The user for whom the kite.key is requested. */
  readonly username: string;
  /** The code of an invite; `""` if none was given. */
  readonly invite: string;
  /**
   * The call. The client can be asked for credentials with it:
   * `request.client.tell("kite.getPass", "Password: ")`.
   */
  readonly request: KiteRequest;
}

/** Controls who gets a kite.key, and which key pair signs it. */
export interface MachineOptions {
  /** Authenticates a request; throws to reject it. Without it, all requests are rejected. */
  readonly machineAuthenticate?: (request: MachineRequest) => void | Promise<void>;
  /**
   * The key pair that signs a new kite.key.
   *
   * @default Kontrol's own
   */
  readonly machineKeyPicker?: (
    request: MachineRequest,
  ) => StoredKeyPair | Promise<StoredKeyPair>;
}

/** Milliseconds that a kite may take to answer `kite.heartbeat`. */
const HEARTBEAT_TIMEOUT = 15_000;

/** Maximum number of kites registered over one connection. */
const MAX_KITES = 10_000;

/** The kites registered over one connection. */
interface KeptKites {
  readonly ids: Set<string>;
  readonly lastHeartbeat: LastHeartbeat;
  /** The callback for heartbeats that the kite received last. */
  ping: Callback | undefined;
  hasEnded: boolean;
}

/** Tracks the kites of each connection. Its heartbeats, and its end, affect all of them. */
class ConnectionKites {
  readonly #registry: Registry;
  readonly #onHeartbeat: () => void;
  readonly #byRemote = new WeakMap<RemoteKite, KeptKites>();

  constructor(registry: Registry, onHeartbeat: () => void) {
    this.#registry = registry;
    this.#onHeartbeat = onHeartbeat;
  }

  /**
   * The last heartbeat of a connection, to register another kite with.
   *
   * @throws {KiteError} `limitError`: the connection has too many kites
   */
  lastHeartbeatOf(remote: RemoteKite): LastHeartbeat {
    const { ids, lastHeartbeat } = this.#of(remote);
    if (ids.size < MAX_KITES) return lastHeartbeat;
    const reason = `one connection has at most ${MAX_KITES} kites`;
    throw new KiteError("limitError", `Cannot register another kite: ${reason}`);
  }

  /**
   * Adds a registered kite.
   *
   * @returns the callback for heartbeats, which replaces the connection's previous one
   */
  keep(remote: RemoteKite, id: string): Callback {
    const kept = this.#of(remote);
    kept.ids.add(id);
    // The connection may have ended during the registration.
    if (kept.hasEnded) this.#registry.disconnected(id, kept.lastHeartbeat);
    if (kept.ping !== undefined) remote.release(kept.ping);
    return kept.ping = () => {
      this.#onHeartbeat();
      this.#registry.recordHeartbeat(kept.lastHeartbeat);
    };
  }

  #of(remote: RemoteKite): KeptKites {
    const known = this.#byRemote.get(remote);
    if (known !== undefined) return known;
    const kept: KeptKites = {
      ids: new Set(),
      lastHeartbeat: {},
      ping: undefined,
      hasEnded: false,
    };
    this.#byRemote.set(remote, kept);
    remote.onDisconnect(() => {
      kept.hasEnded = true;
      for (const id of kept.ids) this.#registry.disconnected(id, kept.lastHeartbeat);
    });
    return kept;
  }
}

/** The dependencies of {@linkcode addMethods}. */
export interface MethodsOptions extends MachineOptions {
  readonly service: KontrolService;
  readonly registry: Registry;
  readonly metrics: Metrics;
  readonly watches: CallerWatches;
  readonly scheduler: FairScheduler;
}

/** Adds Kontrol's methods to its kite (docs/kontrol-protocol.md §2). */
export function addMethods(kite: Kite, options: MethodsOptions): void {
  const { service, registry, metrics, watches, scheduler } = options;
  const throttle = new AnswerThrottle(scheduler);
  const connections = new ConnectionKites(registry, () => metrics.count("heartbeats"));
  kite.handle("register", (request) => register(kite, service, connections, request));
  kite.handle("registerMachine", async (request) => {
    const { username, kiteKey } = await registerMachine(options, request);
    const from = request.client.remoteAddress;
    kite.log.info("issued a kite.key for {username} to {from}", { username, from });
    return kiteKey;
  }).disableAuthentication();
  kite.handle("getKites", async (request) => {
    const fields = request.args.one().object();
    const query = fields.has("query") ? fields.field("query").value : fields.value;
    const callback = callbackOf(fields.value);
    const caller = callerOf(request);
    const isPaged = fields.field("paged").value === true;
    const text = callback === undefined
      ? await service.find(caller, query)
      : await watches.add(request.client, caller, query, callback, isPaged);
    return await throttle.admit(request.client, caller.username, text);
  });
  kite.handle("moreKites", async ({ args, client, username }) => {
    const text = await watches.more(client, args.one().string());
    return await throttle.admit(client, username, text);
  });
  kite.handle("getToken", (request) => {
    const query = request.args.one().object();
    return service.token(callerOf(request), query.value, query.field("force").value === true);
  });
  kite.handle("getKey", async (request) => {
    const { kontrolKey } = await service.verify(kiteKeyOf(request), () => request.username);
    const trustedKey = handoverFrom(request.args.at(0).value);
    const current = await service.currentKey(kontrolKey, trustedKey);
    // Go kites send no argument and expect only the key.
    return trustedKey === undefined ? current.publicKey : current;
  });
  kite.handle("cancelWatcher", ({ args, client }) => {
    watches.cancel(client, args.one().string());
    return null;
  });
}

async function register(
  kite: Kite,
  service: KontrolService,
  connections: ConnectionKites,
  request: KiteRequest,
): Promise<unknown> {
  const argument = request.args.one();
  const url = typeof argument.value === "string"
    ? argument.string()
    : argument.object().field("url").value;
  const { kontrolKey } = await service.verify(kiteKeyOf(request), () => request.username);
  const { client } = request;
  const caller = callerOf(request);
  const lastHeartbeat = connections.lastHeartbeatOf(client);
  const answer = await service.register({
    caller,
    kontrolKey,
    trustedKey: handoverFrom(argument.value),
    url: typeof url === "string" ? url : "",
    channel: "connection",
    lastHeartbeat,
  });
  const ping = connections.keep(client, caller.kite.id);
  client.tellWith(
    { timeout: HEARTBEAT_TIMEOUT, callbacks: "session" },
    "kite.heartbeat",
    answer.heartbeatInterval,
    ping,
  )
    .catch((error: unknown) => {
      // kite.js does not answer this call. A kite that sends no heartbeats is removed later.
      kite.log.debug(`${caller.kite.name} did not confirm heartbeats: ${error}`);
    });
  return answer;
}

async function registerMachine(
  { service, machineAuthenticate, machineKeyPicker }: MethodsOptions,
  request: KiteRequest,
): Promise<{ readonly username: string; readonly kiteKey: string }> {
  const argument = request.args.at(0);
  const isName = typeof argument.value === "string";
  const username = isName && argument.value !== "" ? argument.string() : request.kite.username;
  validateField("username", username);
  checkVisible("username", username);
  if (machineAuthenticate === undefined) {
    throw new KiteError("authenticationError", "no valid authentication key found");
  }
  const fields = isName || argument.isNull ? {} : argument.object().value;
  const { invite } = fields;
  const machine: MachineRequest = {
    authType: authTypeOf(fields),
    username,
    invite: typeof invite === "string" ? invite : "",
    request,
  };
  try {
    await machineAuthenticate(machine);
  } catch (error) {
    if (error instanceof KiteError) throw error;
    throw new KiteError("authenticationError", messageOf(error), { cause: error });
  }
  const kiteKey = await service.signKiteKey(username, await machineKeyPicker?.(machine));
  return { username, kiteKey };
}

function authTypeOf(value: Readonly<Record<string, unknown>>): string {
  const authType = value.authType ?? value.AuthType;
  return typeof authType === "string" ? authType : "";
}

function callerOf({ username, kite, authentication }: KiteRequest): Caller {
  const caller: Caller = { username, kite: { ...kite, id: kite.id.toLowerCase() } };
  if (authentication?.type !== "token") return caller;
  // The token was already verified. Without `exp` there is no limit.
  const { exp } = readTokenClaims(authentication.key);
  return exp === undefined ? caller : { ...caller, expires: exp * 1_000 };
}

/**
 * The kite.key with which the caller authenticated.
 *
 * @throws {KiteError} `authenticationError`, in Go's words, for any other type of authentication
 */
function kiteKeyOf({ authentication }: KiteRequest): string {
  const type = authentication?.type ?? "none";
  if (type !== "kiteKey") {
    throw new KiteError("authenticationError", `Unexpected authentication type: ${type}`);
  }
  return authentication!.key;
}

/** The key that the caller currently trusts, if it sent one. */
function handoverFrom(argument: unknown): string | undefined {
  const { handoverFrom: key } = (argument ?? {}) as { handoverFrom?: unknown };
  return typeof key === "string" && key !== "" ? key : undefined;
}

/** The callback of a watch: `watchCallback` of Go kites, `watchHandler` of kite.js. */
function callbackOf(value: Readonly<Record<string, unknown>>): Callback | undefined {
  const callback = value.watchCallback ?? value.watchHandler;
  return typeof callback === "function" ? callback as Callback : undefined;
}
