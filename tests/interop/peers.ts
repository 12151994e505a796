/**
 * The two existing implementations as real processes: a Go kite and a kite.js, each as a server
 * and as a client, driven by lines of JSON (tests/interop/go, tests/interop/kitejs).
 */

import { GO_PEER, KITEJS_PEER, programOf } from "../../tools/parts.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { TestProcess } from "../support/process.ts";

const SILENCE_MS = 20_000;

/** One line of a peer: an event, or the answer to a command. */
export interface PeerLine {
  readonly event?: string;
  readonly id?: number;
  readonly url?: string;
  readonly fn?: string;
  readonly method?: string;
  readonly args?: readonly unknown[];
  readonly message?: string;
  readonly result?: unknown;
  readonly error?: PeerErrorFields;
}

interface PeerErrorFields {
  readonly type?: string;
  readonly message?: string;
  readonly code?: string;
  readonly id?: string;
}

/** The error that a peer was answered with. */
export class PeerError extends Error {
  readonly type: string;
  readonly code: string;

  constructor(fields: PeerErrorFields) {
    super(fields.message ?? "");
    this.type = fields.type ?? "";
    this.code = fields.code ?? "";
  }
}

/** A function of the other side, as a peer names it. */
export interface FunctionReference {
  readonly "@fnref": number;
}

/** A function argument whose calls the peer reports under this name. */
export function reported(name: string): { "@fn": string } {
  return { "@fn": name };
}

/** Either role of a peer. */
export class Peer implements AsyncDisposable {
  readonly #process: TestProcess;
  readonly #pending = new Map<number, (line: PeerLine) => void>();
  #lastId = 0;
  /** All events so far. */
  readonly events: PeerLine[] = [];

  private constructor(process: TestProcess) {
    this.#process = process;
    process.onLine((text, source) => {
      if (source === "stdout" && text.startsWith("{")) this.#line(JSON.parse(text));
    });
  }

  /** A Go kite that listens. Flags as `peer serve` takes them. */
  static goServer(...flags: string[]): Promise<Peer> {
    return Peer.#start(GO_PEER, ["serve", ...flags]);
  }

  /** A Go kite that has dialled `url`. */
  static goClient(url: string, ...flags: string[]): Promise<Peer> {
    return Peer.#start(GO_PEER, ["call", "-url", url, ...flags]);
  }

  /** A Go kite that has a Kontrol; its commands are those of `registered.go`. */
  static goRegistered(...flags: string[]): Promise<Peer> {
    return Peer.#start(GO_PEER, ["registered", ...flags]);
  }

  /** A Go Kontrol on PostgreSQL; its commands are those of `kontrol.go`. */
  static goKontrol(...flags: string[]): Promise<Peer> {
    return Peer.#start(GO_PEER, ["kontrol", ...flags]);
  }

  /** Go's reverse proxy. */
  static goReverseProxy(...flags: string[]): Promise<Peer> {
    return Peer.#start(GO_PEER, ["reverseproxy", ...flags]);
  }

  /** Go's tunnel proxy. */
  static goTunnelProxy(...flags: string[]): Promise<Peer> {
    return Peer.#start(GO_PEER, ["tunnelproxy", ...flags]);
  }

  /** A kite.js Kontrol client; its commands are those of `kontrol.mjs`. */
  static kitejsKontrol(url: string, ...flags: string[]): Promise<Peer> {
    return Peer.#kitejs("kontrol", "-url", url, ...flags);
  }

  /** A kite.js server, on a port of its own unless the flags name one. */
  static kitejsServer(...flags: string[]): Promise<Peer> {
    const port = flags.includes("-port") ? [] : ["-port", String(freePort())];
    return Peer.#kitejs("serve", ...port, ...flags);
  }

  /** A kite.js that has connected to `url`. */
  static kitejsClient(url: string, ...flags: string[]): Promise<Peer> {
    return Peer.#kitejs("call", "-url", url, ...flags);
  }

  static #kitejs(...args: string[]): Promise<Peer> {
    return Peer.#start(programOf("node") ?? "node", ["peer.mjs", ...args], KITEJS_PEER);
  }

  static async #start(program: string | URL, args: string[], cwd?: URL): Promise<Peer> {
    return new Peer(
      await TestProcess.start({
        program,
        args,
        ...(cwd && { cwd }),
        ready: (line) => line.includes('"event":"ready"'),
      }),
    );
  }

  /** Where it listens, or what it dialled. */
  get url(): string {
    return this.events.find(({ event }) => event === "ready")?.url ?? "";
  }

  /** Calls a method of the kite at the other end. */
  async call(method: string, args: readonly unknown[] = [], timeoutMs = 10_000): Promise<unknown> {
    return await this.#command({ method, args, timeout: timeoutMs });
  }

  /** Calls a function that the other end gave. */
  async invoke(reference: unknown, args: readonly unknown[] = []): Promise<void> {
    await this.#command({ invoke: (reference as FunctionReference)["@fnref"], args });
  }

  /** The arguments of each call of the function reported under `name`, once there are `count`. */
  async invocations(name: string, count = 1): Promise<(readonly unknown[])[]> {
    return await eventually(() => {
      const calls = this.events.filter(({ event, fn }) => event === "callback" && fn === name);
      return calls.length >= count && calls.map(({ args }) => args ?? []);
    }, { what: `${count} calls of ${name}` });
  }

  /** Waits for the `count`th event of a kind. */
  async event(kind: string, count = 1): Promise<PeerLine> {
    return await eventually(
      () => this.events.filter(({ event }) => event === kind)[count - 1],
      { withinMs: 10_000, what: `${count} × ${kind}` },
    );
  }

  /** Ends it at once, as a crash would. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process.stop();
  }

  #line(line: PeerLine): void {
    if (line.id === undefined) {
      this.events.push(line);
    } else {
      this.#pending.get(line.id)?.(line);
      this.#pending.delete(line.id);
    }
  }

  async #command(command: Record<string, unknown>): Promise<unknown> {
    const id = ++this.#lastId;
    const answer = new Promise<PeerLine>((resolve) => this.#pending.set(id, resolve));
    await this.#process.write(JSON.stringify({ id, ...command }));
    // The peers bound each call themselves; this is for a peer that hangs.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`The peer did not answer ${id}`)), SILENCE_MS);
    });
    const death = this.#process.ended().then(() => {
      throw new Error(`The peer ended before it answered ${id}`);
    });
    const line = await Promise.race([answer, silence, death]).finally(() => clearTimeout(timer));
    if (line.error) throw new PeerError(line.error);
    return line.result;
  }
}
