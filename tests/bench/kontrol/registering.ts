/**
 * Kites that register one after the other, over one WebSocket or over HTTP, each with an id of its own.
 *
 * `--port --pid (of Kontrol) --kitekey --mode=websocket|http --inflight --warmup --seconds`; prints one
 * line of JSON, {@linkcode RateReport}.
 *
 * @module
 */
import WebSocket from "ws";
import { printLine } from "../output.ts";
import { boundLifetime, PeerOptions } from "../peer.ts";
import { cpuMicroseconds } from "../usage.ts";
import { pause } from "../statistics.ts";
import { type RateReport, socketUrl } from "./light.ts";
import {
  callText,
  heartbeatFunctions,
  identity,
  invokeText,
  readMessages,
  resultOf,
} from "./messages.ts";

/** Kites on one connection: Kontrol bounds them, and a heartbeat counts for all of them. */
const ON_ONE_CONNECTION = 1_000;

interface Progress {
  registered: number;
}

const KITE_URL = "http://127.0.0.1:3636/kite";

/** Registers kites on one connection; resolves when that is full. */
function fillConnection(
  port: number,
  kiteKey: string,
  inFlight: number,
  progress: Progress,
): Promise<void> {
  const socket = new WebSocket(socketUrl(port, crypto.randomUUID()), { perMessageDeflate: false });
  let sent = 0;
  let answered = 0;
  const register = (): void => {
    if (sent === ON_ONE_CONNECTION) return;
    const kite = identity(crypto.randomUUID(), "load");
    socket.send(callText("register", { url: KITE_URL }, 1_000 + sent++, kite, kiteKey));
  };
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("Kontrol ended the connection")));
    socket.on("message", (data: Uint8Array) => {
      try {
        const text = new TextDecoder().decode(data);
        if (text === "o") { for (let index = 0; index < inFlight; index++) register(); }
        for (const message of readMessages(text)) {
          if (message.method === "kite.heartbeat") {
            const { response } = heartbeatFunctions(message);
            if (response !== undefined) {
              socket.send(invokeText(response, { error: null, result: null }));
            }
          } else if (Number(message.method) >= 1_000) {
            resultOf(message);
            progress.registered++;
            if (++answered === ON_ONE_CONNECTION) resolve();
            else register();
          }
        }
      } catch (error) {
        reject(error);
      }
    });
  });
}

async function registerOverHttp(port: number, kiteKey: string, progress: Progress): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      url: KITE_URL,
      kite: identity(crypto.randomUUID(), "load"),
      auth: { type: "kiteKey", key: kiteKey },
    }),
  });
  const { err, url } = await response.json();
  if (url !== KITE_URL) throw new Error(`Kontrol answered ${response.status}: ${err}`);
  progress.registered++;
}

async function main(): Promise<void> {
  boundLifetime();
  const options = new PeerOptions(Deno.args);
  const [port, pid, inFlight] = [
    options.number("port"),
    options.number("pid"),
    options.number("inflight"),
  ];
  const kiteKey = Deno.readTextFileSync(options.text("kitekey"));
  const progress: Progress = { registered: 0 };
  const forEver = async (work: () => Promise<void>): Promise<never> => {
    for (;;) await work();
  };
  const running = options.text("mode") === "websocket"
    ? forEver(() => fillConnection(port, kiteKey, inFlight, progress))
    : Promise.race(
      Array.from(
        { length: inFlight },
        () => forEver(() => registerOverHttp(port, kiteKey, progress)),
      ),
    );
  await Promise.race([running, pause(options.number("warmup"))]);
  const before = {
    registered: progress.registered,
    cpu: cpuMicroseconds(pid),
    time: performance.now(),
  };
  await Promise.race([running, pause(options.number("seconds"))]);
  const count = progress.registered - before.registered;
  if (count === 0) throw new Error("nobody was registered");
  const report: RateReport = {
    perSecond: count / ((performance.now() - before.time) / 1_000),
    serverMicros: (cpuMicroseconds(pid) - before.cpu) / count,
  };
  printLine(JSON.stringify(report));
  Deno.exit(0);
}

if (import.meta.main) await main();
