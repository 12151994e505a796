import { KiteError } from "../src/protocol/errors.ts";
import { validateField } from "../src/protocol/identity.ts";
import type { Kite } from "../src/kite.ts";
import type { Callback } from "../src/dnode/scrub.ts";
import type { KiteRequest } from "../src/rpc/request.ts";
import type { RemoteKite } from "../src/rpc/remote.ts";
import type { Caller } from "./policy.ts";
import type { Registry } from "./registry.ts";
import type { KontrolService } from "./service.ts";
import type { StoredKeyPair } from "./storage/storage.ts";
import type { Watchers } from "./watchers.ts";

/** Someone who asks for a kite.key of their own. */
export interface MachineRequest {
  /** What kind of proof is offered; `""` when none was named. */
  readonly authType: string;
  /** Whom the kite.key would speak for. */
  readonly username: string;
  /** The call itself, to ask back through: `request.client.tell("kite.getPass", "Password: ")`. */
  readonly request: KiteRequest;
}

/** The owner's say in who gets a kite.key, and signed with which key pair. */
export interface MachineOptions {
  /** Throws to refuse. Without it no kite.key is given to anyone. */
  readonly machineAuthenticate?: (request: MachineRequest) => void | Promise<void>;
  /** The key pair that signs a new kite.key. @default Kontrol's own */
  readonly machineKeyPicker?: (
    request: MachineRequest,
  ) => StoredKeyPair | Promise<StoredKeyPair>;
}

/** Milliseconds that a kite may take to answer `kite.heartbeat`. */
const HEARTBEAT_TIMEOUT = 15_000;

/** Kites that one connection keeps known, at most. */
const MOST_KITES = 10_000;

/** Which kites each connection keeps known: its heartbeats count for all of them, and its end. */
class Keepers {
  readonly #registry: Registry;
  readonly #onHeartbeat: () => void;
  readonly #byRemote = new WeakMap<RemoteKite, { ids: Set<string>; ping: Callback }>();

  constructor(registry: Registry, onHeartbeat: () => void) {
    this.#registry = registry;
    this.#onHeartbeat = onHeartbeat;
  }

  /** @throws {KiteError} `limitError` */
  check(remote: RemoteKite): void {
    if ((this.#byRemote.get(remote)?.ids.size ?? 0) < MOST_KITES) return;
    throw new KiteError("limitError", `at most ${MOST_KITES} kites on one connection`);
  }

  /** Takes a kite in. @returns the function for its heartbeats, in place of an earlier one */
  keep(remote: RemoteKite, id: string): Callback {
    const { ids, former } = this.#of(remote);
    ids.add(id);
    const ping = (): void => {
      this.#onHeartbeat();
      for (const kept of ids) this.#registry.heard(kept, "connection", remote);
    };
    if (former !== undefined) remote.release(former);
    this.#byRemote.set(remote, { ids, ping });
    return ping;
  }

  #of(remote: RemoteKite): { ids: Set<string>; former: Callback | undefined } {
    const known = this.#byRemote.get(remote);
    if (known !== undefined) return { ids: known.ids, former: known.ping };
    const ids = new Set<string>();
    remote.onDisconnect(() => {
      for (const id of ids) this.#registry.disconnected(id, remote);
    });
    return { ids, former: undefined };
  }
}

/** Puts Kontrol's methods on its kite (docs/kontrol-protocol.md §2). */
export function addMethods(
  kite: Kite,
  service: KontrolService,
  watchers: Watchers,
  machines: MachineOptions,
): void {
  const { registry, metrics } = service.parts;
  const keepers = new Keepers(registry, () => metrics.count("heartbeats"));
  kite.handle("register", (request) => register(kite, service, keepers, request));
  kite.handle("registerMachine", (request) => registerMachine(service, machines, request))
    .disableAuthentication();
  kite.handle("getKites", async (request) => {
    const fields = request.args.one().object();
    const query = fields.has("query") ? fields.field("query").value : fields.value;
    const callback = callbackOf(fields.value);
    const caller = callerOf(request);
    return callback === undefined
      ? { kites: await service.find(caller, query) }
      : await watchers.add(request.client, caller, query, callback);
  });
  kite.handle("getToken", (request) => {
    const query = request.args.one().object();
    return service.token(callerOf(request), query.value, query.field("force").value === true);
  });
  kite.handle("getKey", async (request) => {
    const kontrolKey = await service.kontrolKeyOf(kiteKeyOf(request));
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
  keepers: Keepers,
  request: KiteRequest,
): Promise<unknown> {
  const argument = request.args.one();
  const url = typeof argument.value === "string"
    ? argument.string()
    : argument.object().field("url").value;
  const kontrolKey = await service.kontrolKeyOf(kiteKeyOf(request));
  const { client } = request;
  const caller = callerOf(request);
  keepers.check(client);
  const answer = await service.register({
    caller,
    kontrolKey,
    trustedKey: handoverFrom(argument.value),
    url: typeof url === "string" ? url : "",
    keeper: "connection",
    owner: client,
  });
  const ping = keepers.keep(client, caller.kite.id);
  client.tellWith({ timeout: HEARTBEAT_TIMEOUT }, "kite.heartbeat", answer.heartbeatInterval, ping)
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
  const authType = isName || argument.isNull ? "" : authTypeOf(argument.object().value);
  const machine: MachineRequest = { authType, username, request };
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

function callerOf(request: KiteRequest): Caller {
  return { username: request.username, kite: request.kite };
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
