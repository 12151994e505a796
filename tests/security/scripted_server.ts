/** What a script hears and may do on one connection. */
export interface ScriptedConnection {
  /** The messages that came, each text once, in order. */
  readonly messages: string[];
  /** The frames that came, as they were. */
  readonly frames: string[];
  /** Sends messages: as one frame over SockJS, as one text each otherwise. */
  send(...messages: string[]): void;
  /** Sends a frame just as it is. */
  sendFrame(frame: string): void;
  close(code?: number): void;
}

/** What a scripted server does with each message. */
export type Script = (connection: ScriptedConnection, message: string) => void;

/** A server of a test's own: no kite, and as hostile as its script. */
export class ScriptedServer implements AsyncDisposable {
  readonly connections: ScriptedConnection[] = [];
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #sockets = new Set<WebSocket>();
  readonly #script: Script;
  readonly #onOpen: (connection: ScriptedConnection) => void;

  constructor(script: Script, onOpen: (connection: ScriptedConnection) => void = () => {}) {
    this.#script = script;
    this.#onOpen = onOpen;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#serve(request),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}/kite`;
  }

  /** The URL for a raw WebSocket. */
  get rawUrl(): string {
    return `${this.url}/websocket`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.close();
    await this.#server.shutdown();
  }

  #serve(request: Request): Response {
    if (request.headers.get("upgrade") === null) return new Response(null, { status: 404 });
    const isRaw = new URL(request.url).pathname === "/kite/websocket";
    const { socket, response } = Deno.upgradeWebSocket(request);
    const messages: string[] = [];
    const frames: string[] = [];
    const connection: ScriptedConnection = {
      messages,
      frames,
      sendFrame: (frame) => socket.readyState === WebSocket.OPEN && socket.send(frame),
      send: (...texts) => {
        if (isRaw) { for (const text of texts) connection.sendFrame(text); }
        else connection.sendFrame(`a${JSON.stringify(texts)}`);
      },
      close: (code) => socket.close(code),
    };
    this.#sockets.add(socket);
    socket.onclose = () => this.#sockets.delete(socket);
    socket.onopen = () => {
      this.connections.push(connection);
      if (!isRaw) connection.sendFrame("o");
      this.#onOpen(connection);
    };
    socket.onmessage = ({ data }) => {
      frames.push(data);
      for (const message of isRaw ? [data] : JSON.parse(data)) {
        messages.push(message);
        this.#script(connection, message);
      }
    };
    return response;
  }
}

/** The id of the response callback of a request. */
export function responseIdOf(message: string): number {
  const { callbacks } = JSON.parse(message) as { callbacks: Record<string, unknown[]> };
  const id = Object.keys(callbacks).find((key) => callbacks[key]!.at(-1) === "responseCallback");
  return Number(id);
}

/** The text of a successful answer. */
export function answerText(id: number, result: unknown): string {
  return JSON.stringify({ method: id, arguments: [{ error: null, result }], callbacks: {} });
}
