import { readTokenClaims } from "../src/auth/jwt.ts";
import { KiteError } from "../src/protocol/errors.ts";
import { validateField } from "../src/protocol/identity.ts";
import type { Kite } from "../src/kite.ts";
import type { Callback } from "../src/dnode/scrub.ts";
import type { KiteRequest } from "../src/rpc/request.ts";
import type { RemoteKite } from "../src/rpc/remote.ts";
import { AnswerThrottle } from "./answer_throttle.ts";
import type { Caller } from "./policy.ts";
import type { LifeSign, Registry } from "./registry.ts";
import type { KontrolService } from "./service.ts";
import type { StoredKeyPair } from "./storage/storage.ts";
import type { CallerWatches } from "./caller_watches.ts";

/** Someone who asks for a kite.key of their own. */
export interface MachineRequest {
  /** What kind of proof is offered; `""` when none was named. */
  readonly authType: string;
  /** Whom the kite.key would speak for. */
  readonly username: string;
  /** The code of an invite; `""` when none was given. */
  readonly invite: string;
  /** The call itself, to ask back through: `request.client.tell("kite.getPass", "Password: ")`. */
  readonly request: KiteRequest;
}

/** The owner's say in who gets a kite.key, and signed with which key pair. */
export interface MachineOptions {
  /** Throws to refuse. Without it no kite.key is given to anyone. */
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

/** Kites that one connection keeps known, at most. */
const MOST_KITES = 10_000;

/** What one connection keeps known. */
interface KeptKites {
  readonly ids: Set<string>;
  readonly life: LifeSign;
  /** The function for its heartbeats that was handed out last. */
  ping: Callback | undefined;
  hasEnded: boolean;
}

/** Which kites each connection keeps known: its heartbeats count for all of them, and its end. */
class ConnectionKites {
  readonly #registry: Registry;
  readonly #onHeartbeat: () => void;
  readonly #byRemote = new WeakMap<RemoteKite, KeptKites>();

  constructor(registry: Registry, onHeartbeat: () => void) {
    this.#registry = registry;
    this.#onHeartbeat = onHeartbeat;
  }

  /**
   * The life sign of a connection that may keep one more kite.
   *
   * @throws {KiteError} `limitError`
   */
  lifeOf(remote: RemoteKite): LifeSign {
    const { ids, life } = this.#of(remote);
    if (ids.size < MOST_KITES) return life;
    throw new KiteError("limitError", `at most ${MOST_KITES} kites on one connection`);
  }

  /**
   * Adds a kite.
   *
   * @returns the function for its heartbeats, in place of an earlier one
   */
  keep(remote: RemoteKite, id: string): Callback {
    const kept = this.#of(remote);
    kept.ids.add(id);
    // It may have ended while the kite was being registered.
    if (kept.hasEnded) this.#registry.disconnected(id, kept.life);
    if (kept.ping !== undefined) remote.release(kept.ping);
    return kept.ping = () => {
      this.#onHeartbeat();
      this.#registry.heardFrom(kept.life);
    };
  }

  #of(remote: RemoteKite): KeptKites {
    const known = this.#byRemote.get(remote);
    if (known !== undefined) return known;
    const kept: KeptKites = { ids: new Set(), life: {}, ping: undefined, hasEnded: false };
    this.#byRemote.set(remote, kept);
    remote.onDisconnect(() => {
      kept.hasEnded = true;
      for (const id of kept.ids) this.#registry.disconnected(id, kept.life);
    });
    return kept;
  }
}

/** Puts Kontrol's methods on its kite (docs/kontrol-protocol.md §2). */
export function addMethods(
  kite: Kite,
  service: KontrolService,
  watchers: CallerWatches,
  machines: MachineOptions,
): void {
  const { registry, metrics } = service.parts;
  const pace = new AnswerThrottle();
  const keepers = new ConnectionKites(registry, () => metrics.count("heartbeats"));
  kite.handle("register", (request) => register(kite, service, keepers, request));
  kite.handle("registerMachine", (request) => registerMachine(service, machines, request))
    .disableAuthentication();
  kite.handle("getKites", async (request) => {
    const fields = request.args.one().object();
    const query = fields.has("query") ? fields.field("query").value : fields.value;
    const callback = callbackOf(fields.value);
    const caller = callerOf(request);
    const isPaged = fields.field("paged").value === true;
    const text = callback === undefined
      ? await service.find(caller, query)
      : await watchers.add(request.client, caller, query, callback, isPaged);
    return await pace.pass(request.client, text);
  });
  kite.handle("moreKites", async ({ args, client }) => {
    return await pace.pass(client, await watchers.more(client, args.one().string()));
  });
  kite.handle("getToken", (request) => {
    const query = request.args.one().object();
    return service.token(callerOf(request), query.value, query.field("force").value === true);
  });
  kite.handle("getKey", async (request) => {
    const { kontrolKey } = await service.verify(kiteKeyOf(request), () => request.username);
    const trustedKey = handoverFrom(request.args.at(0).value);
    const current = await service.parts.keys.currentKey(kontrolKey, trustedKey);
    // A Go kite sends no argument, and takes only the key itself.
    return trustedKey === undefined ? current.publicKey : current;
  });
  kite.handle("cancelWatcher", ({ args, client }) => {
    watchers.cancel(client, args.one().string());
    return null;
  });
}

async function register(
  kite: Kite,
  service: KontrolService,
  keepers: ConnectionKites,
  request: KiteRequest,
): Promise<unknown> {
  const argument = request.args.one();
  const url = typeof argument.value === "string"
    ? argument.string()
    : argument.object().field("url").value;
  const { kontrolKey } = await service.verify(kiteKeyOf(request), () => request.username);
  const { client } = request;
  const caller = callerOf(request);
  const life = keepers.lifeOf(client);
  const answer = await service.register({
    caller,
    kontrolKey,
    trustedKey: handoverFrom(argument.value),
    url: typeof url === "string" ? url : "",
    keeper: "connection",
    life,
  });
  const ping = keepers.keep(client, caller.kite.id);
  client.tellWith(
    { timeout: HEARTBEAT_TIMEOUT, callbacks: "session" },
    "kite.heartbeat",
    answer.heartbeatInterval,
    ping,
  )
    .catch((error: unknown) => {
      // A kite.js answers nothing; a kite that does not ping is noticed by its silence.
      kite.log.debug(`${caller.kite.name} did not take up heartbeats: ${error}`);
    });
  return answer;
}

async function registerMachine(
  service: KontrolService,
  { machineAuthenticate, machineKeyPicker }: MachineOptions,
  request: KiteRequest,
): Promise<string> {
  const argument = request.args.at(0);
  const isName = typeof argument.value === "string";
  const username = isName && argument.value !== "" ? argument.string() : request.kite.username;
  validateField("username", username);
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
    const reason = error instanceof Error ? error.message : String(error);
    throw new KiteError("authenticationError", reason, { cause: error });
  }
  return await service.parts.keys.signKiteKey(username, await machineKeyPicker?.(machine));
}

function authTypeOf(value: Readonly<Record<string, unknown>>): string {
  const authType = value.authType ?? value.AuthType;
  return typeof authType === "string" ? authType : "";
}

function callerOf({ username, kite, authentication }: KiteRequest): Caller {
  const caller: Caller = { username, kite: { ...kite, id: kite.id.toLowerCase() } };
  if (authentication?.type !== "token") return caller;
  // It was verified; one that never ends bounds nothing.
  const { exp } = readTokenClaims(authentication.key);
  return exp === undefined ? caller : { ...caller, expires: exp * 1_000 };
}

/** The kite.key that a caller showed; nothing else will do. */
function kiteKeyOf({ authentication }: KiteRequest): string {
  const type = authentication?.type ?? "none";
  if (type !== "kiteKey") {
    throw new KiteError("authenticationError", `Unexpected authentication type: ${type}`);
  }
  return authentication!.key;
}

/** The key that a caller trusts at present, where it says so. */
function handoverFrom(argument: unknown): string | undefined {
  const { handoverFrom: key } = (argument ?? {}) as { handoverFrom?: unknown };
  return typeof key === "string" && key !== "" ? key : undefined;
}

/** `watchCallback` of the Go kite, `watchHandler` of kite.js. */
function callbackOf(value: Readonly<Record<string, unknown>>): Callback | undefined {
  const callback = value.watchCallback ?? value.watchHandler;
  return typeof callback === "function" ? callback as Callback : undefined;
}
