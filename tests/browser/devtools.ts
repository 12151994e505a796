import { eventually } from "../support/eventually.ts";

/** Milliseconds that Chromium may take to start, and to answer a command. */
const BOUND = 60_000;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

type Answer = Readonly<Record<string, unknown>>;

/**
 * Chromium, driven over its DevTools protocol. Playwright would need more permissions than the tests
 * have.
 */
export class Chromium implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #pending = new Map<number, PromiseWithResolvers<Answer>>();
  /** Called with the events of each session. */
  readonly #listeners = new Map<string, (message: Message) => void>();
  #lastId = 0;

  private constructor(process: Deno.ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#received(JSON.parse(data) as Message);
  }

  /** Starts Chromium without a window. */
  static async start(program: string, flags: readonly string[]): Promise<Chromium> {
    const profile = await Deno.makeTempDir();
    const process = new Deno.Command(program, {
      args: [
        "--headless=new",
        "--disable-gpu",
        "--no-first-run",
        `--user-data-dir=${profile}`,
        "--remote-debugging-port=0",
        ...flags,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const socket = new WebSocket(await debuggingUrl(profile));
      await new Promise<void>((resolve, reject) => {
        socket.onopen = () => resolve();
        socket.onerror = () => reject(new Error("Cannot connect to Chromium"));
      });
      return new Chromium(process, profile, socket);
    } catch (error) {
      process.kill("SIGKILL");
      await process.status;
      await Deno.remove(profile, { recursive: true });
      throw error;
    }
  }

  /** Opens a page in a browser context of its own, which has no cookies and no storage in common. */
  async open(url: string): Promise<Page> {
    const { browserContextId } = await this.send("Target.createBrowserContext");
    const { targetId } = await this.send("Target.createTarget", { url, browserContextId });
    const attach = { targetId, flatten: true };
    const { sessionId } = await this.send("Target.attachToTarget", attach);
    const page = new Page(this, String(sessionId), String(browserContextId));
    this.#listeners.set(page.sessionId, ({ method, params }) => page.happened(method, params));
    await page.send("Runtime.enable");
    return page;
  }

  /** Sends a command, and resolves to its answer. */
  async send(method: string, params: object = {}, sessionId?: string): Promise<Answer> {
    const id = ++this.#lastId;
    const pending = Promise.withResolvers<Answer>();
    this.#pending.set(id, pending);
    const timer = setTimeout(() => pending.reject(new Error(`${method} was not answered`)), BOUND);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    try {
      return await pending.promise;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    await this.send("Browser.close");
    await this.#process.status;
    await closed;
    // Its last helper processes may still write files.
    await eventually(() => Deno.remove(this.#profile, { recursive: true }).then(() => true));
  }

  #received({ id, error, result, sessionId, ...event }: Message): void {
    if (id === undefined) return this.#listeners.get(sessionId ?? "")?.(event);
    if (error === undefined) this.#pending.get(id)?.resolve(result ?? {});
    else this.#pending.get(id)?.reject(new Error(error.message));
  }
}

/** A page in Chromium. Closing it closes its browser context. */
export class Page implements AsyncDisposable {
  readonly sessionId: string;
  /** Uncaught errors of scripts in the page. */
  readonly errors: string[] = [];
  readonly #chromium: Chromium;
  readonly #contextId: string;

  constructor(chromium: Chromium, sessionId: string, contextId: string) {
    this.#chromium = chromium;
    this.sessionId = sessionId;
    this.#contextId = contextId;
  }

  /** Runs a function in the page with a JSON argument, and resolves to its JSON result. */
  async evaluate<Argument, Result>(
    run: (argument: Argument) => Result | Promise<Result>,
    argument?: Argument,
  ): Promise<Result> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression: `(${run})(${JSON.stringify(argument)})`,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(describe(exceptionDetails));
    return (result as { value: Result }).value;
  }

  /** A picture of the page, PNG. */
  async screenshot(width: number, height: number): Promise<Uint8Array> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.send("Emulation.setDeviceMetricsOverride", metrics);
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    return Uint8Array.from(atob(String(data)), (character) => character.charCodeAt(0));
  }

  /** Sends a command of the DevTools protocol. */
  send(method: string, params: object = {}): Promise<Answer> {
    return this.#chromium.send(method, params, this.sessionId);
  }

  /** Notes an event of the page. */
  happened(method: string | undefined, params: Answer = {}): void {
    if (method === "Runtime.exceptionThrown") this.errors.push(describe(params.exceptionDetails));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const browserContextId = this.#contextId;
    await this.#chromium.send("Target.disposeBrowserContext", { browserContextId });
  }
}

/** Chromium writes the port that it has chosen, and the path, to a file. */
async function debuggingUrl(profile: string): Promise<string> {
  const end = performance.now() + BOUND;
  while (performance.now() < end) {
    const text = await Deno.readTextFile(`${profile}/DevToolsActivePort`).catch(() => "");
    const [port, path] = text.split("\n");
    if (port !== undefined && path !== undefined) return `ws://127.0.0.1:${port}${path}`;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("Chromium did not start");
}

function describe(details: unknown): string {
  const { text, exception } = details as {
    text: string;
    exception?: { description?: string; value?: unknown };
  };
  return exception?.description ?? `${text} ${String(exception?.value ?? "")}`;
}
