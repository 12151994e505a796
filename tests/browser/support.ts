// For the type of globalThis.page.
import type {} from "./page.ts";
import { programOf } from "../../tools/parts.ts";
import { eventually } from "../support/eventually.ts";
import { Chromium, type Page } from "./devtools.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** A name of the loopback address that Chromium does not know to be one. */
const INSECURE_HOST = "page.test";

/** Milliseconds that bundling may take. */
const BOUND = 120_000;

const HTML = '<!doctype html><title>kite</title><script type="module" src="/page.js"></script>\n';

/** A strict policy: scripts of the page's own server only, no `eval`, no inline scripts. */
const POLICY = "default-src 'none'; script-src 'self'; connect-src http://127.0.0.1:*";

/** Bundles a module for browsers, minified. */
export async function bundle(path: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "browser", "--minify", path],
    cwd: ROOT,
    stdin: "null",
    signal: AbortSignal.timeout(BOUND),
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Options of {@linkcode TestBrowser.open}. */
interface OpenOptions {
  readonly webSocket?: boolean;
  readonly secure?: boolean;
}

/** A browser, and a server of the page that tests open in it. */
export class TestBrowser implements AsyncDisposable {
  /** The origin of the page, such as `http://127.0.0.1:49152`. */
  readonly origin: string;
  readonly #chromium: Chromium;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(chromium: Chromium, script: string) {
    this.#chromium = chromium;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      ({ url }) => answer(new URL(url), script),
    );
    this.origin = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Starts Chromium, and a server of the page. */
  static async start(): Promise<TestBrowser> {
    const script = await bundle("tests/browser/page.ts");
    return new TestBrowser(await startChromium(), script);
  }

  /**
   * Opens the test page in a browser context of its own.
   *
   * @param options `webSocket: false` for a page whose policy forbids WebSockets; `secure: false` for
   * a page that the browser does not call secure, as one of another machine without TLS
   */
  async open({ webSocket = true, secure = true }: OpenOptions = {}): Promise<Page> {
    const origin = secure ? this.origin : this.origin.replace("127.0.0.1", INSECURE_HOST);
    const page = await this.#chromium.open(`${origin}/${webSocket ? "" : "?webSocket=no"}`);
    await eventually(() => page.evaluate(() => globalThis.page !== undefined), {
      what: "the script of the page",
      withinMs: 20_000,
    });
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chromium[Symbol.asyncDispose]();
    await this.#server.shutdown();
  }
}

/** Starts Chromium so that it also works in containers, and two pages connect over loopback. */
export function startChromium(): Promise<Chromium> {
  return Chromium.start(programOf("chromium") ?? "chromium", [
    "--no-sandbox", // root cannot use the sandbox
    "--allow-loopback-in-peer-connection",
    `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`,
    "--disable-features=WebRtcHideLocalIpsWithMdns",
  ]);
}

function answer({ pathname, searchParams }: URL, script: string): Response {
  if (pathname === "/page.js") {
    return new Response(script, { headers: { "content-type": "text/javascript" } });
  }
  if (pathname !== "/") return new Response(null, { status: 404 });
  const sockets = searchParams.has("webSocket") ? "" : " ws://127.0.0.1:*";
  const headers = { "content-type": "text/html", "content-security-policy": POLICY + sockets };
  return new Response(HTML, { headers });
}
