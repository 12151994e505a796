import { assertEquals, assertRejects } from "@std/assert";
import { type Client, type Kite, KiteError } from "../../mod.ts";
import type { KiteOptions } from "../../mod.ts";
import type { Logger } from "../../src/log.ts";
import {
  startTestKontrol,
  type TestKontrol,
  type TestKontrolOptions,
} from "../../src/testing/mod.ts";
import { type KiteIdentity, readIdentity } from "../../src/protocol/identity.ts";

/** A kite as Kontrol names it in its answers. */
export interface Found {
  readonly kite: KiteIdentity;
  readonly url: string;
  readonly keyId: string;
  readonly token: string;
}

/** A change as a watch delivers it. */
export interface Change extends Omit<Found, "keyId"> {
  readonly action: "REGISTER" | "DEREGISTER";
}

/** Starts a Kontrol with EdDSA keys, since generating RSA keys takes a third of a second. */
export function startKontrol(options: TestKontrolOptions = {}): Promise<TestKontrol> {
  return startTestKontrol({ algorithm: "EdDSA", ...options });
}

/** Connects to Kontrol with a kite.key of the user, to call its methods directly. */
export async function connectTo(
  kontrol: TestKontrol,
  name = "caller",
  options: KiteOptions = {},
): Promise<{ kite: Kite; client: Client }> {
  const kite = await kontrol.newKite(name, "1.0.0", options);
  const client = kite.newClient(kontrol.url, {
    authentication: { type: "kiteKey", key: kite.config.kiteKey ?? "" },
  });
  await client.dial();
  return { kite, client };
}

/** Kontrol's URL without its `/kite`. */
export function baseOf(kontrol: { readonly url: string }): string {
  return kontrol.url.replace(/\/kite$/, "");
}

/** An HTTP response. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

export async function get(url: string): Promise<HttpAnswer> {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
}

export async function post(url: string, body: unknown): Promise<HttpAnswer> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(url, { method: "POST", body: text });
  return { status: response.status, text: await response.text() };
}

/** Fails unless a call is refused with exactly this error. */
export async function refused(
  call: () => Promise<unknown>,
  type: string,
  message: string,
): Promise<void> {
  const error = await assertRejects(call, KiteError);
  assertEquals([error.type, error.message], [type, message]);
}

/** The body that a Go kite sends to `/register`. */
export async function httpRegistration(
  kontrol: TestKontrol,
  fields: Partial<KiteIdentity> = {},
): Promise<{ url: string; kite: KiteIdentity; auth: { type: string; key: string } }> {
  const { username = "testuser" } = fields;
  return {
    url: "http://127.0.0.1:3636/kite",
    kite: identity(fields),
    auth: { type: "kiteKey", key: await kontrol.kiteKey(username) },
  };
}

export function identity(fields: Partial<KiteIdentity> = {}): KiteIdentity {
  return readIdentity({
    username: "testuser",
    environment: "test",
    name: "math",
    version: "1.0.0",
    region: "local",
    hostname: "host",
    id: crypto.randomUUID(),
    ...fields,
  });
}

/** A query with every field, the unset ones empty, as a Go kite sends it. */
export function goQuery(fields: Partial<KiteIdentity>): Record<string, string> {
  return { ...readIdentity({}), ...fields };
}

/** Calls `getKites` directly, without the library's discovery. */
export async function find(client: Client, fields: Partial<KiteIdentity>): Promise<Found[]> {
  const argument = { query: goQuery(fields), watchCallback: null, who: null };
  return (await client.tell<{ kites: Found[] }>("getKites", argument)).kites;
}

/** A logger that collects its formatted lines. */
export function keepingLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (message: string, details: Record<string, unknown> = {}): void =>
    void lines.push(message.replaceAll(/\{(\w+)\}/g, (_all, name) => String(details[name])));
  return { lines, fatal: keep, error: keep, warning: keep, info: keep, debug: keep };
}

/** A temporary folder, removed at the end of its scope. */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "kontrol-" });

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
