import { fromFileUrl } from "../../tools/paths.ts";

const START_MS = 15_000;
const STOP_MS = 2_000;

/** What to start, and how to see that it is ready. */
export interface ProcessOptions {
  readonly program: string | URL;
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  readonly cwd?: string | URL;
  /** The first line of output for which this holds ends the start. */
  readonly ready: (line: string) => boolean;
  /** @default 15,000 ms */
  readonly startMs?: number;
}

type Source = "stdout" | "stderr";

/**
 * A process that a test runs. It is started when it has printed its readiness line, its output is
 * read line by line, and `await using` stops it.
 */
export class TestProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #outputs: Promise<unknown>;
  readonly #name: string;
  readonly #listeners = new Set<(line: string, source: Source) => void>();
  #ended = false;
  readonly #heard: { readonly line: string; readonly source: Source }[] = [];

  private constructor(options: ProcessOptions) {
    const program = options.program instanceof URL ? fromFileUrl(options.program) : options.program;
    this.#name = [program.split("/").pop(), ...(options.args ?? [])].join(" ");
    this.#child = new Deno.Command(program, {
      args: [...(options.args ?? [])],
      ...(options.env && { env: options.env }),
      ...(options.cwd && { cwd: options.cwd }),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#outputs = Promise.all([
      this.#hear(this.#child.stdout, "stdout"),
      this.#hear(this.#child.stderr, "stderr"),
    ]).then(() => this.#ended = true);
  }

  /** Starts a process. Fails, with its output, if it ends or is not ready in time. */
  static async start(options: ProcessOptions): Promise<TestProcess> {
    const process = new TestProcess(options);
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await Promise.race([
        new Promise<void>((resolve) => process.onLine((line) => options.ready(line) && resolve())),
        process.#outputs.then(() => process.#fail("ended before it was ready")),
        new Promise((_, reject) => {
          const startMs = options.startMs ?? START_MS;
          timer = setTimeout(
            () => reject(process.#error(`was not ready within ${startMs} ms`)),
            startMs,
          );
        }),
      ]);
    } catch (error) {
      await process.stop();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return process;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves when it has ended and all of its output was read. */
  async ended(): Promise<void> {
    await this.#outputs;
  }

  /** Resolves when it has ended, with its exit code. */
  async exitCode(): Promise<number> {
    await this.#outputs;
    return (await this.#child.status).code;
  }

  /** Adds a listener for each line of output, including earlier ones. */
  onLine(listener: (line: string, source: Source) => void): void {
    for (const { line, source } of this.#heard) listener(line, source);
    this.#listeners.add(listener);
  }

  /** Writes one line to its input. */
  async write(line: string): Promise<void> {
    if (this.#ended) this.#fail("has ended");
    await this.#stdin.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Kills it, as a crash would, and waits until it has ended. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks it to end, kills it if it does not, and waits until it has ended. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #end(signal: Deno.Signal): Promise<void> {
    this.#signal(signal);
    const timer = setTimeout(() => this.#signal("SIGKILL"), STOP_MS);
    await this.#child.status;
    clearTimeout(timer);
    await this.#outputs;
    // The pipe of a process that is gone cannot be closed in order.
    await this.#stdin.abort().catch(() => {});
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #hear(stream: ReadableStream<Uint8Array>, source: Source): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#line(line, source);
    }
    if (rest) this.#line(rest, source);
  }

  #line(line: string, source: Source): void {
    this.#heard.push({ line, source });
    for (const listener of this.#listeners) listener(line, source);
  }

  #error(what: string): Error {
    const output = this.#heard.slice(-30).map(({ line }) => line).join("\n");
    return new Error(`\`${this.#name}\` ${what}. Its output:\n${output}`);
  }

  #fail(what: string): never {
    throw this.#error(what);
  }
}
