import { textOf } from "../../src/transport/message.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/protocol/limits.ts";
import { SockJsServer, type SockJsServerOptions } from "../../src/transport/sockjs/server/mod.ts";
import type { CloseInfo, Session, SessionHandler } from "../../src/transport/session.ts";

/** Fails with `what` when `promise` takes longer than `ms`. */
export async function within<Value>(
  promise: Promise<Value>,
  what: string,
  ms: number = 5_000,
): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Writes down what a session brings. */
export class Recorder implements SessionHandler {
  readonly messages: string[] = [];
  readonly ends: CloseInfo[] = [];
  readonly #end = Promise.withResolvers<CloseInfo>();
  #wanted = Infinity;
  #enough: (() => void) | undefined;

  constructor(session?: Session) {
    session?.attach(this);
  }

  onMessage(message: string): void {
    this.messages.push(message);
    if (this.messages.length >= this.#wanted) this.#enough?.();
  }

  onClose(info: CloseInfo): void {
    this.ends.push(info);
    this.#end.resolve(info);
  }

  /** Resolves once `count` messages have come in all. */
  async received(count: number): Promise<readonly string[]> {
    if (this.messages.length < count) {
      this.#wanted = count;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#enough = resolve;
      await within(promise, `message ${count}`);
    }
    return this.messages;
  }

  closed(ms?: number): Promise<CloseInfo> {
    return within(this.#end.promise, "the end of the session", ms);
  }
}

/** One of our own servers, on a free port of the loopback interface. */
export interface TestServer extends AsyncDisposable {
  readonly port: number;
  /** `http://…/kite` */
  readonly url: string;
  /** The requests that came, `METHOD path?query`. */
  readonly requests: readonly string[];
  readonly sockjs: SockJsServer;
}

/** What {@linkcode startServer} may change. */
export interface TestServerOptions extends Partial<Omit<SockJsServerOptions, "limits">> {
  readonly limits?: Partial<Limits>;
  /** @default false */
  readonly tls?: boolean;
}

/** Starts a server that echoes each message, unless `options` say otherwise. */
export function startServer(options: TestServerOptions = {}): TestServer {
  const requests: string[] = [];
  const sockjs = new SockJsServer({
    onSession: echo,
    ...options,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
  });
  const address = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const listen = options.tls ? { ...address, cert: pem("cert"), key: pem("key") } : address;
  const server = Deno.serve(listen, (request) => {
    const { pathname, search } = new URL(request.url);
    requests.push(`${request.method} ${pathname}${search}`);
    return sockjs.fetch(request);
  });
  return {
    port: server.addr.port,
    url: `http://127.0.0.1:${server.addr.port}/kite`,
    requests,
    sockjs,
    async [Symbol.asyncDispose]() {
      await sockjs.close({ timeout: 500 });
      await server.shutdown();
    },
  };
}

/** Sends each message back. */
export function echo(session: Session): void {
  session.attach({ onMessage: (message) => session.send(textOf(message)), onClose: () => {} });
}

function pem(name: string): string {
  return Deno.readTextFileSync(new URL(`tls/${name}.pem`, import.meta.url));
}
