import type { ClientTransport } from "../transport/dial.ts";
import { kiteHome, readKiteKeyClaims, readKiteKeyFile } from "../auth/kite_key.ts";
import { Kite } from "../kite.ts";
import { KiteError, messageOf } from "../protocol/errors.ts";
import { entryAt } from "../runtime/folders.ts";
import { type Context, createKite } from "./context.ts";

/** The result of a check. */
export interface Finding {
  readonly state: "ok" | "warning" | "wrong";
  readonly text: string;
  /** The command that fixes the problem, or what to do. */
  readonly remedy?: string;
}

const TIMEOUT = 5_000;
/**
 * Milliseconds by which the clock may differ from Kontrol's. Kontrol's tokens tolerate 5 minutes.
 */
const CLOCK_TOLERANCE = 60_000;

/** Checks that there is a valid kite.key, and that only its owner can read it. */
export async function checkKey({ program }: Context): Promise<Finding> {
  const home = kiteHome();
  if (home === "") return wrong("the home directory is unknown", "set KITE_HOME to a folder");
  const path = `${home}/kite.key`;
  const register = `${program} register, or ${program} up for a Kontrol of your own`;
  let text: string | undefined;
  try {
    text = await readKiteKeyFile();
  } catch (error) {
    return wrong(messageOf(error), `${program} register --force`);
  }
  if (text === undefined) return wrong(`there is no ${path}`, register);
  const { sub, iss, kontrolURL } = readKiteKeyClaims(text);
  const mode = (await entryAt(path))?.mode ?? 0;
  // Windows has no file modes: 0o666 is not the choice of the user.
  if ((mode & 0o077) !== 0 && mode !== 0o666) {
    return { state: "warning", text: `others can read ${path}`, remedy: `chmod 400 ${path}` };
  }
  return ok(`${path}, of ${sub}, issued by ${iss}, for Kontrol at ${kontrolURL}`);
}

/** What Kontrol's HTTP endpoints say about it. */
export interface KontrolStatus {
  readonly kontrol: Finding;
  readonly clock: Finding;
  readonly storage: Finding;
}

/** Checks that Kontrol and its storage answer, and that its clock agrees with this machine's. */
export async function checkKontrol({ program }: Context, url: string): Promise<KontrolStatus> {
  const base = url.replace(/\/kite$/, "");
  const unknown: Finding = { state: "warning", text: "unknown, as Kontrol cannot be reached" };
  const begin = Date.now();
  let health: Response;
  try {
    health = await get(`${base}/healthz`);
  } catch (error) {
    const isHere = /\/\/(localhost|127\.|\[::1\])/.test(url);
    const remedy = isHere
      ? `${program} up`
      : "check the network, and that Kontrol runs there; another URL: KITE_KONTROL_URL";
    const kontrol = wrong(`nothing answers at ${url}: ${messageOf(error)}`, remedy);
    return { kontrol, clock: unknown, storage: unknown };
  }
  const took = Date.now() - begin;
  return {
    kontrol: ok(`answers at ${url}, in ${took} ms`),
    clock: checkClock(health, begin + took / 2),
    storage: await checkStorage(base),
  };
}

function checkClock(response: Response, now: number): Finding {
  const theirs = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(theirs)) {
    return { state: "warning", text: "unknown: Kontrol does not send its time" };
  }
  const difference = now - theirs;
  if (Math.abs(difference) < CLOCK_TOLERANCE) return ok("within a minute of Kontrol's");
  const seconds = Math.round(Math.abs(difference) / 1_000);
  const text = `${seconds} s ${difference > 0 ? "ahead of" : "behind"} Kontrol's`;
  return wrong(text, "set the clock: sudo timedatectl set-ntp true");
}

async function checkStorage(base: string): Promise<Finding> {
  try {
    const response = await get(`${base}/readyz`);
    if (response.ok) return ok("Kontrol reaches it");
    if (response.status === 404) {
      return { state: "warning", text: "unknown: this Kontrol does not report it, like Go's" };
    }
    return wrong(
      `Kontrol cannot reach it (${response.status})`,
      "see Kontrol's log, and start its database",
    );
  } catch (error) {
    return wrong(messageOf(error), "see Kontrol's log");
  }
}

/** Checks that Kontrol accepts the kite.key of the user. */
export async function checkTrust({ program, signal }: Context, kite: Kite): Promise<Finding> {
  if (kite.config.kiteKey === undefined) {
    return { state: "warning", text: "unknown without a kite.key" };
  }
  try {
    await kite.getKey({ timeout: TIMEOUT, signal });
    return ok("Kontrol accepts the kite.key");
  } catch (error) {
    const isRefused = error instanceof KiteError && error.type === "authenticationError";
    return wrong(messageOf(error), isRefused ? `${program} register --force` : `${program} up`);
  }
}

/** Checks that Kontrol can be dialled over a transport. */
export async function checkTransport(
  { signal }: Context,
  url: string,
  transport: ClientTransport,
): Promise<Finding> {
  const kite = createKite({ kiteKey: "" });
  try {
    const client = kite.newClient(url, { transport });
    const begin = Date.now();
    await client.dial({ timeout: TIMEOUT, signal });
    await client.tellWith({ timeout: TIMEOUT, signal }, "kite.ping");
    return ok(`answers in ${Date.now() - begin} ms`);
  } catch (error) {
    const remedy = transport === "WebSocket"
      ? "allow WebSockets in the proxies between, or set KITE_TRANSPORT=XHRPolling"
      : "start Kontrol, or allow its path in the proxies between";
    return wrong(messageOf(error), remedy);
  } finally {
    await kite.close({ deadline: 0 });
  }
}

/** Checks that a kite can listen on a port, or that Kontrol listens on it already. */
export async function checkPort({ program }: Context, port: number): Promise<Finding> {
  const kite = new Kite("kitectl", "0.0.1", { port, logLevel: "FATAL", kiteKey: "" });
  try {
    await kite.listen();
    return ok("free");
  } catch (error) {
    const health = await get(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
    if (health?.ok === true) return ok("Kontrol listens on it");
    return {
      state: "warning",
      text: messageOf(error),
      remedy: `${program} up --port ${port + 400}`,
    };
  } finally {
    await kite.close({ deadline: 0 });
  }
}

async function get(url: string): Promise<Response> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT), redirect: "manual" });
  await response.body?.cancel();
  return response;
}

function ok(text: string): Finding {
  return { state: "ok", text };
}

function wrong(text: string, remedy: string): Finding {
  return { state: "wrong", text, remedy };
}
