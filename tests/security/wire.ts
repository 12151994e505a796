/** What a hand-written peer reads of a message. */
export interface WireMessage {
  readonly method: unknown;
  // deno-lint-ignore no-explicit-any -- a test looks at whatever came
  readonly arguments: any[];
  readonly callbacks?: Record<string, unknown>;
}

/** Milliseconds after which a peer that says nothing fails a test. */
const PATIENCE = 5_000;

/** A client written by hand: sends any text, and hears what comes back. */
export class Wire {
  readonly messages: WireMessage[] = [];
  /** How often a frame came, whatever was in it. */
  readonly frames: string[] = [];
  readonly #socket: WebSocket;
  readonly #isRaw: boolean;
  readonly #ended = Promise.withResolvers<CloseEvent>();
  /** Those who wait for the next event. */
  #waiters: (() => void)[] = [];

  private constructor(socket: WebSocket, isRaw: boolean) {
    this.#socket = socket;
    this.#isRaw = isRaw;
    socket.onmessage = ({ data }) => this.#hear(data as string);
    socket.onclose = (event) => {
      this.#ended.resolve(event);
      this.#wake();
    };
  }

  /** Connects to a kite's URL, over SockJS or as a plain WebSocket. */
  static async open(kiteUrl: string, isRaw: boolean): Promise<Wire> {
    const session = crypto.randomUUID();
    const path = isRaw ? "/websocket" : `/000/${session}/websocket`;
    const socket = new WebSocket(kiteUrl.replace(/^http/, "ws") + path);
    const wire = new Wire(socket, isRaw);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`no WebSocket at ${kiteUrl}${path}`));
    });
    socket.onerror = null;
    return wire;
  }

  /** How it ended. */
  get ended(): Promise<CloseEvent> {
    return this.#ended.promise;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Sends messages: as one frame over SockJS, as one text each otherwise. */
  send(...messages: string[]): void {
    if (this.#isRaw) { for (const message of messages) this.#socket.send(message); }
    else this.#socket.send(JSON.stringify(messages));
  }

  /** Sends compact messages: as one frame, or as one text. */
  sendCompact(...messages: string[]): void {
    if (messages.length > 0) this.#socket.send(`[${messages.join(",")}]`);
  }

  /** Sends a frame just as it is. */
  sendFrame(frame: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(frame);
  }

  /** Calls a method with plain arguments; the answer is that to `id`. */
  call(id: number, method: string, ...args: unknown[]): Promise<WireMessage> {
    const request = { withArgs: args, responseCallback: "[Function]" };
    const callbacks = { [id]: [0, "responseCallback"] };
    this.send(JSON.stringify({ method, arguments: [request], callbacks }));
    return this.answer(id);
  }

  /** The last message to an id, as soon as there is one. */
  answer(id: number): Promise<WireMessage> {
    return this.until(
      () => this.messages.findLast(({ method }) => method === id),
      `an answer to ${id}`,
    );
  }

  /** Waits until something holds of what came. */
  async until<Value>(probe: () => Value | undefined | false, what: string): Promise<Value> {
    const timer = setTimeout(() => this.#wake(), PATIENCE);
    const end = performance.now() + PATIENCE;
    try {
      for (;;) {
        const value = probe();
        if (value !== undefined && value !== false) return value;
        if (!this.isOpen) throw new Error(`the connection ended before ${what}`);
        if (performance.now() >= end - 1) throw new Error(`${what} did not come`);
        await new Promise<void>((resolve) => this.#waiters.push(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes, and waits for the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState < WebSocket.CLOSING) this.#socket.close();
    await this.ended;
  }

  #hear(data: string): void {
    this.frames.push(data);
    if (this.#isRaw) this.messages.push(JSON.parse(data));
    else if (data.startsWith("a")) {
      for (const text of JSON.parse(data.slice(1))) this.messages.push(JSON.parse(text));
    }
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
