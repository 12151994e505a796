/**
 * One interface for all kinds of connection ends, so that they share one table of checks: a peer
 * process, our client, and our server's connection to a client.
 */

import type { RemoteKite } from "../../mod.ts";
import { eventually } from "../support/eventually.ts";
import type { FunctionReference } from "./peers.ts";

/** Calls the kite at the other end, and records the callbacks. */
export interface Caller {
  /** Calls a method. A `{"@fn": name}` in the arguments is a function, reported under that name. */
  call(method: string, args?: readonly unknown[], timeoutMs?: number): Promise<unknown>;
  /** Calls a function of the other end, by the `{"@fnref": n}` that replaced it. */
  invoke(reference: unknown, args?: readonly unknown[]): Promise<void>;
  /** The arguments of each call of a reported function, once there are `count`. */
  invocations(name: string, count?: number): Promise<(readonly unknown[])[]>;
}

type Callback = (...args: unknown[]) => unknown;

/** Our own end of a connection. */
export class OurCaller implements Caller {
  readonly #remote: RemoteKite;
  readonly #received: Callback[] = [];
  readonly #calls = new Map<string, (readonly unknown[])[]>();

  constructor(remote: RemoteKite) {
    this.#remote = remote;
  }

  async call(method: string, args: readonly unknown[] = [], timeout = 10_000): Promise<unknown> {
    const wired = args.map((arg) => this.#wire(arg));
    return this.#plain(await this.#remote.tellWith({ timeout }, method, ...wired));
  }

  invoke(reference: unknown, args: readonly unknown[] = []): Promise<void> {
    const number = (reference as Partial<FunctionReference> | undefined)?.["@fnref"];
    const fn = number === undefined ? undefined : this.#received[number];
    if (fn === undefined) throw new Error(`no function ${JSON.stringify(reference)} was received`);
    fn(...args.map((arg) => this.#wire(arg)));
    return Promise.resolve();
  }

  async invocations(name: string, count = 1): Promise<(readonly unknown[])[]> {
    return await eventually(() => {
      const calls = this.#calls.get(name) ?? [];
      return calls.length >= count && calls;
    }, { what: `${count} calls of ${name}` });
  }

  #wire(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one) => this.#wire(one));
    if (typeof value !== "object" || value === null) return value;
    if ("@fn" in value) return this.#reporter(String(value["@fn"]));
    return mapFields(value, (one) => this.#wire(one));
  }

  #reporter(name: string): Callback {
    return (...args) => {
      const calls = this.#calls.get(name) ?? [];
      this.#calls.set(name, calls);
      calls.push(args.map((arg) => this.#plain(arg)));
    };
  }

  #plain(value: unknown): unknown {
    if (typeof value === "function") {
      return { "@fnref": this.#received.push(value as Callback) - 1 };
    }
    if (Array.isArray(value)) return value.map((one) => this.#plain(one));
    if (typeof value !== "object" || value === null) return value;
    return mapFields(value, (one) => this.#plain(one));
  }
}

function mapFields(value: object, map: (one: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, map(one)]));
}
