import { textOf } from "../../../../src/transport/message.ts";
import { assertEquals, assertMatch } from "@std/assert";
import { DEFAULT_LIMITS, type Limits } from "../../../../src/protocol/limits.ts";
import {
  SockJsServer,
  type SockJsServerOptions,
} from "../../../../src/transport/sockjs/server/mod.ts";
import { DenoServer } from "../../../../src/runtime/deno/server.ts";
import type { ServeHandler } from "../../../../src/runtime/serving.ts";
import type { CloseInfo, Session, SessionHandler } from "../../../../src/transport/session.ts";
import { eventually } from "../../../support/eventually.ts";

const WAIT_MS = 5_000;

/** What a test changes of the server's options; the limits it does not name keep their defaults. */
export type TestOptions = Partial<Omit<SockJsServerOptions, "limits" | "onSession">> & {
  readonly limits?: Partial<Limits>;
  readonly onSession?: (session: Session) => void;
  /** Mounts the SockJS server in a server of Deno, which upgrades requests to WebSockets itself. */
  readonly isMounted?: boolean;
};

/** A SockJS server on a real port, echoing unless told otherwise. */
export class TestServer implements AsyncDisposable {
  readonly sockjs: SockJsServer;
  readonly sessions: Session[] = [];
  readonly errors: unknown[] = [];
  /** The number of requests that have a response, which may not be sent yet. */
  responses = 0;
  readonly port: number;
  readonly url: string;
  readonly #closeHttp: () => Promise<void>;

  constructor({ limits, onSession = echo, isMounted = false, ...options }: TestOptions = {}) {
    this.sockjs = new SockJsServer({
      prefix: "/echo",
      onError: (error) => void this.errors.push(error),
      ...options,
      limits: { ...DEFAULT_LIMITS, ...limits },
      onSession: (session) => {
        this.sessions.push(session);
        onSession(session);
      },
    });
    const address = { hostname: "127.0.0.1", port: 0 };
    if (isMounted) {
      const server = Deno.serve(
        { ...address, onListen: () => {} },
        (request, { remoteAddr: { hostname, port } }) =>
          this.sockjs.fetch(request, { remoteAddress: `${hostname}:${port}` }),
      );
      this.port = server.addr.port;
      this.#closeHttp = () => server.shutdown();
    } else {
      const handler: ServeHandler = async (request, peer) => {
        const response = await this.sockjs.fetch(request, peer);
        this.responses++;
        return response;
      };
      const server = new DenoServer(Deno.listen(address), undefined, handler, {
        ...address,
        idleTimeout: WAIT_MS,
        connections: 1_000,
        webSocketBytes: 0,
        onError: (error) => void this.errors.push(error),
      });
      this.port = server.port;
      this.#closeHttp = () => server.close();
    }
    this.url = `http://127.0.0.1:${this.port}${options.prefix ?? "/echo"}`;
  }

  /** A session's URL that nobody has used. */
  session(server = "000"): string {
    return `${this.url}/${server}/${crypto.randomUUID()}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sockjs.close({ timeout: 1_000 });
    await this.#closeHttp();
  }
}

/** Sends every message back. */
export function echo(session: Session): void {
  session.attach({ onMessage: (message) => session.send(textOf(message)), onClose: () => {} });
}

/** Closes each session at once. */
export function closeAtOnce(session: Session): void {
  session.attach({ onMessage: () => {}, onClose: () => {} });
  session.close();
}

/** A handler that remembers. */
export class Recorder implements SessionHandler {
  readonly messages: string[] = [];
  readonly ends: CloseInfo[] = [];

  onMessage(message: string): void {
    this.messages.push(message);
  }

  onClose({ code, reason }: CloseInfo): void {
    this.ends.push({ code, reason });
  }
}

/** What came back for a request. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** One whole exchange. */
export async function ask(method: string, url: string, init: RequestInit = {}): Promise<Answer> {
  const signal = AbortSignal.timeout(WAIT_MS);
  const response = await fetch(url, { method, signal, ...init });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

export const get = (url: string, init?: RequestInit): Promise<Answer> => ask("GET", url, init);
export const post = (url: string, body?: BodyInit, headers: HeadersInit = {}): Promise<Answer> =>
  ask("POST", url, { body: body ?? null, headers });

/** Asserts status and text at once. */
export function assertAnswer(answer: Answer, status: number, text: string): void {
  assertEquals({ status: answer.status, text: answer.text }, { status, text });
}

export function assertNotCached({ headers }: { headers: Headers }): void {
  assertEquals(
    headers.get("cache-control"),
    "no-store, no-cache, no-transform, must-revalidate, max-age=0",
  );
  assertEquals(headers.get("expires"), null);
  assertEquals(headers.get("last-modified"), null);
}

export function assertCors({ headers }: { headers: Headers }, origin?: string): void {
  assertEquals(headers.get("access-control-allow-origin"), origin ?? "*");
  assertEquals(headers.get("access-control-allow-credentials"), origin ? "true" : null);
}

/** Asserts that a preflight is answered as all of SockJS' are. */
export async function assertPreflight(url: string, methods: readonly string[]): Promise<void> {
  for (const origin of ["http://a.example", "null"]) {
    const answer = await ask("OPTIONS", url, { headers: { origin } });
    assertAnswer(answer, 204, "");
    assertCors(answer, origin);
    assertMatch(answer.headers.get("cache-control") ?? "", /public.*max-age=31536000/);
    assertEquals(answer.headers.has("expires"), true);
    assertEquals(Number(answer.headers.get("access-control-max-age")) > 1_000_000, true);
    const allowed = answer.headers.get("access-control-allow-methods")?.split(", ") ?? [];
    for (const method of methods) assertEquals(allowed.includes(method), true, method);
  }
}

/** A response read as it comes. Its disposal breaks the connection, if it is still there. */
export class Stream implements AsyncDisposable {
  #response: Response | undefined;
  readonly #aborter: AbortController;
  readonly #reader: Promise<ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>>;
  readonly #decoder = new TextDecoder();
  #text = "";
  #done = false;

  private constructor(response: Promise<Response>, aborter: AbortController) {
    this.#aborter = aborter;
    this.#reader = response.then((response) => {
      this.#response = response;
      return (response.body ?? new Blob([]).stream()).getReader();
    });
    this.#reader.catch(() => {}); // it is awaited where the stream is read
  }

  /** Sends the request. A server may answer a poll only when there is a frame. */
  static start(method: string, url: string, headers: HeadersInit = {}): Stream {
    const aborter = new AbortController();
    return new Stream(fetch(url, { method, headers, signal: aborter.signal }), aborter);
  }

  /** Sends the request, and waits for the head of the response. */
  static async open(method: string, url: string, headers: HeadersInit = {}): Promise<Stream> {
    const stream = Stream.start(method, url, headers);
    await stream.#reader;
    return stream;
  }

  get response(): Response {
    if (this.#response === undefined) throw new Error("there is no response yet");
    return this.#response;
  }

  /** Asserts that `text` is what comes next. */
  async expect(text: string): Promise<void> {
    while (this.#text.length < text.length && !this.#done) await this.#more();
    assertEquals(this.#text.slice(0, text.length), text);
    this.#text = this.#text.slice(text.length);
  }

  /** Takes everything up to the first `end`. */
  async until(end: string): Promise<string> {
    while (!this.#text.includes(end) && !this.#done) await this.#more();
    const length = this.#text.indexOf(end) + end.length;
    const text = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return text;
  }

  /** Asserts that nothing more comes and the response ends. */
  async expectEnd(): Promise<void> {
    while (!this.#done) await this.#more();
    assertEquals(this.#text, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#reader.then((reader) => reader.closed)
      .catch((error) => assertEquals(error.name, "AbortError"));
  }

  async #more(): Promise<void> {
    const reader = await this.#reader;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`only ${JSON.stringify(this.#text)} came`)),
        WAIT_MS,
      );
    });
    try {
      const { done, value } = await Promise.race([reader.read(), late]);
      if (done) this.#done = true;
      else this.#text += this.#decoder.decode(value, { stream: true });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A browser's WebSocket whose messages and end can be waited for. */
export class TestSocket {
  readonly socket: WebSocket;
  readonly received: string[] = [];
  end: CloseInfo | undefined;
  #read = 0;

  private constructor(url: string) {
    this.socket = new WebSocket(url.replace("http", "ws"));
    this.socket.onmessage = ({ data }) => this.received.push(data);
    this.socket.onclose = ({ code, reason }) => this.end = { code, reason };
  }

  static async open(url: string): Promise<TestSocket> {
    const socket = new TestSocket(url);
    await eventually(() => socket.socket.readyState !== WebSocket.CONNECTING, { what: "open" });
    return socket;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.socket.send(data);
  }

  /** The next message. */
  next(): Promise<string> {
    return eventually(() => {
      if (this.#read >= this.received.length) return undefined;
      return { text: this.received[this.#read++] ?? "" };
    }, { what: "a message" }).then(({ text }) => text);
  }

  /** How it ended. */
  ended(): Promise<CloseInfo> {
    return eventually(() => this.end, { what: "the end of the socket" });
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.ended();
  }
}

/** A TCP connection for what fetch does not let one say. */
export class RawConnection implements Disposable {
  readonly #conn: Deno.TcpConn;
  #text = "";
  #closed = false;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async open(port: number): Promise<RawConnection> {
    return new RawConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async write(data: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** Takes everything up to the first `end`; without one, up to the end of the connection. */
  async read(end?: string): Promise<string> {
    const timer = setTimeout(() => this[Symbol.dispose](), WAIT_MS);
    try {
      const buffer = new Uint8Array(65_536);
      const decoder = new TextDecoder();
      while (end === undefined || !this.#text.includes(end)) {
        const count = await this.#conn.read(buffer);
        if (count === null) break;
        this.#text += decoder.decode(buffer.subarray(0, count), { stream: true });
      }
    } finally {
      clearTimeout(timer);
    }
    const length = end === undefined ? this.#text.length : this.#text.indexOf(end) + end.length;
    const text = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return text;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }
}

/**
 * A WebSocket handshake by hand.
 *
 * @param changes headers that differ; what is undefined is left out
 * @returns the head of the answer
 */
export async function performHandshake(
  connection: RawConnection,
  path: string,
  changes: Record<string, string | undefined> = {},
): Promise<string> {
  const headers: Record<string, string | undefined> = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
    ...changes,
  };
  let text = `GET ${path} HTTP/1.1\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) text += `${name}: ${value}\r\n`;
  }
  await connection.write(text + "\r\n");
  return await connection.read("\r\n\r\n");
}

/** Asserts that one more WebSocket is refused with 503. */
export async function assertSocketRefused(server: TestServer): Promise<void> {
  using connection = await RawConnection.open(server.port);
  assertMatch(await performHandshake(connection, "/echo/000/late/websocket"), /^HTTP\/1.1 503 /);
}
