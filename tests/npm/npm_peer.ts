import type { Caller } from "../interop/caller.ts";
import { PeerError } from "../interop/peers.ts";
import { TestProcess } from "../support/process.ts";
import type { Project, Runtime } from "./support.ts";

/** Milliseconds for the answer to a command; the peer has a shorter limit of its own. */
const SILENCE_MS = 20_000;

interface Line {
  readonly event?: string;
  readonly url?: string;
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly type: string; readonly code: string; readonly message: string };
}

/** Prepares a project for {@linkcode NpmPeer}. */
export async function preparePeer(project: Project): Promise<void> {
  await project.copy(
    "tests/npm/programs/peer.ts",
    "tests/interop/caller.ts",
    "tests/interop/our_kite.ts",
    "tests/support/eventually.ts",
  );
  await project.write("mod.ts", 'export * from "@kite/kite";\n');
}

/** A kite of the npm package in a process of another runtime. */
export class NpmPeer implements Caller, AsyncDisposable {
  /** Where it listens, or what it dialled. */
  url = "";
  readonly #process: TestProcess;
  readonly #waiting = new Map<number, (line: Line) => void>();
  #lastId = 0;

  private constructor(process: TestProcess) {
    this.#process = process;
    process.onLine((text, source) => {
      if (source === "stdout" && text.startsWith("{")) this.#receive(JSON.parse(text));
    });
  }

  /** Starts a kite that listens. */
  static serve(
    project: Project,
    runtime: Runtime,
    env: Record<string, string> = {},
  ): Promise<NpmPeer> {
    return NpmPeer.#start(project, runtime, ["serve"], env);
  }

  /** Starts a kite that dials. */
  static call(
    project: Project,
    runtime: Runtime,
    url: string,
    transport: string,
    env: Record<string, string> = {},
  ): Promise<NpmPeer> {
    return NpmPeer.#start(project, runtime, ["call", url, transport], env);
  }

  static async #start(
    project: Project,
    { program }: Runtime,
    args: readonly string[],
    env: Record<string, string>,
  ): Promise<NpmPeer> {
    const process = await TestProcess.start({
      program,
      args: ["tests/npm/programs/peer.ts", ...args],
      cwd: project.folder,
      env: { NODE_NO_WARNINGS: "1", ...env },
      ready: (line) => line.includes('"event":"ready"'),
    });
    return new NpmPeer(process);
  }

  async call(method: string, args: readonly unknown[] = [], timeout = 10_000): Promise<unknown> {
    return await this.#command("call", [method, args, timeout]);
  }

  async invoke(reference: unknown, args: readonly unknown[] = []): Promise<void> {
    await this.#command("invoke", [reference, args]);
  }

  async invocations(name: string, count = 1): Promise<(readonly unknown[])[]> {
    return await this.#command("invocations", [name, count]) as unknown[][];
  }

  /** Closes its kite. */
  async close(): Promise<void> {
    await this.#command("close", []);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process.stop();
  }

  #receive(line: Line): void {
    if (line.event === "ready") this.url = line.url ?? "";
    if (line.id === undefined) return;
    this.#waiting.get(line.id)?.(line);
    this.#waiting.delete(line.id);
  }

  async #command(what: string, args: readonly unknown[]): Promise<unknown> {
    const id = ++this.#lastId;
    const answer = new Promise<Line>((resolve) => this.#waiting.set(id, resolve));
    await this.#process.write(JSON.stringify({ id, do: what, args }));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`The peer did not answer ${what}`)), SILENCE_MS);
    });
    const death = this.#process.ended().then(() => {
      throw new Error(`The peer ended before it answered ${what}`);
    });
    const { error, result } = await Promise.race([answer, silence, death])
      .finally(() => clearTimeout(timer));
    if (error !== undefined) throw new PeerError(error);
    return result;
  }
}
