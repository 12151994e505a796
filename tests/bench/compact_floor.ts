/**
 * The least that can make and answer calls in compact messages: JSON, and arrays of callers. No
 * authentication, no checks, no timeouts, no functions.
 *
 * `--mode=serve --port` | `--mode=call --port --inflight --warmup --seconds`; the latter prints one line of JSON,
 * {@linkcode ClientReport}.
 *
 * @module
 */
import { openSocket } from "../../src/transport/websocket/open_socket.ts";
import type { MessageSocket } from "../../src/transport/websocket/socket.ts";
import { measureCalls } from "./client.ts";
import { printLine } from "./output.ts";
import { boundLifetime, PeerOptions, preparePeer } from "./peer.ts";

type Call = readonly [kind: 1, id: number, method: string, args: readonly [number]];
type Answer = readonly [kind: 2, id: number, result: unknown];

function serve(port: number): void {
  Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onopen = () => socket.send("o");
    socket.onmessage = ({ data }) => {
      const answers: string[] = [];
      for (const [, id, , args] of JSON.parse(data) as Call[]) {
        answers.push(`[2,${id},${JSON.stringify(args[0] ** 2)}]`);
      }
      socket.send(`a[${answers.join(",")}]`);
    };
    return response;
  });
}

/** Calls of one turn share a frame, as those of the library do. */
class Caller {
  readonly #pending = new Map<number, (result: unknown) => void>();
  #socket: MessageSocket | undefined;
  #next = 0;
  #texts: string[] = [];

  async open(port: number): Promise<void> {
    const open = Promise.withResolvers<void>();
    await openSocket(new URL(`ws://127.0.0.1:${port}/kite/100/floor/websocket`), {
      headers: new Headers(),
      ca: [],
      maxBytes: 2 ** 24,
      outgoingBytes: 2 ** 24,
      signal: new AbortController().signal,
    }, {
      onOpen: (socket) => this.#socket = socket,
      onText: (text) => text === "o" ? open.resolve() : this.#answered(text),
      onAlive: () => {},
      onClosing: () => {},
      onClose: () => {},
    });
    await open.promise;
  }

  tell(method: string, argument: number): Promise<unknown> {
    return new Promise((resolve) => {
      const id = this.#next++;
      this.#pending.set(id, resolve);
      if (this.#texts.push(`[1,${id},"${method}",${JSON.stringify([argument])}]`) === 1) {
        setImmediate(this.#flush);
      }
    });
  }

  close(): void {
    this.#socket?.terminate();
  }

  readonly #flush = (): void => {
    this.#socket?.send(`[${this.#texts.join(",")}]`);
    this.#texts = [];
  };

  #answered(text: string): void {
    for (const [, id, result] of JSON.parse(text.slice(1)) as Answer[]) {
      this.#pending.get(id)?.(result);
      this.#pending.delete(id);
    }
  }
}

async function call(options: PeerOptions): Promise<void> {
  const caller = new Caller();
  await caller.open(options.number("port"));
  const report = await measureCalls(
    () => caller.tell("square", 4),
    options.number("inflight"),
    options.number("warmup"),
    options.number("seconds"),
  );
  printLine(JSON.stringify(report));
  caller.close();
}

if (import.meta.main) {
  const options = new PeerOptions(Deno.args);
  if (options.text("mode") === "serve") serve(preparePeer().port);
  else {
    boundLifetime();
    await call(options);
  }
}
