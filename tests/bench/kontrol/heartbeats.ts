/**
 * Measures Kontrol's CPU and memory for many registered kites, each with its own WebSocket and
 * heartbeats.
 *
 * `--port --pid (of Kontrol) --kitekey --kites --seconds --collect=yes|no` (a Deno server collects
 * its garbage when asked by signal); prints one line of JSON, {@linkcode HeartbeatReport}.
 *
 * @module
 */
import { printLine } from "../output.ts";
import { boundLifetime, PeerOptions } from "../peer.ts";
import { pause } from "../statistics.ts";
import { cpuMicroseconds, residentKibibytes } from "../usage.ts";
import { socketUrl } from "./light.ts";
import {
  callText,
  heartbeatFunctions,
  identity,
  type Incoming,
  invokeText,
  readMessages,
  resultOf,
} from "./messages.ts";

/** The results of one run. */
export interface HeartbeatReport {
  /** CPU of Kontrol while all send heartbeats, in percent of one core. */
  readonly corePercent: number;
  /** KiB of resident memory for each kite, connected and registered. */
  readonly kibibytesEach: number;
  /** Heartbeats in a second. */
  readonly heartbeats: number;
}

/** Milliseconds between two heartbeats of a kite; Kontrol asks for the same. */
const INTERVAL = 10_000;
/** Kites that register at the same time. */
const AT_ONCE = 32;
/** Kites that connect and disconnect first, so that code and pools are loaded before measuring. */
const WARMUP_KITES = 200;
/** Seconds to wait before Kontrol's memory is read. */
const SETTLE = 0.7;
const RESPONSE_ID = 1_000_000;

class BeatingKite {
  /** Heartbeats that all of them sent. */
  static beats = 0;
  readonly #socket: WebSocket;
  readonly #registered = Promise.withResolvers<void>();
  #ping: string | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;

  constructor(port: number, environment: string, kiteKey: string) {
    const id = crypto.randomUUID();
    const call = callText(
      "register",
      { url: "http://127.0.0.1:3636/kite" },
      RESPONSE_ID,
      identity(id, environment),
      kiteKey,
    );
    this.#socket = new WebSocket(socketUrl(port, id));
    this.#socket.onmessage = ({ data }) => {
      if (data === "o") return this.#socket.send(call);
      for (const message of readMessages(data)) this.#hear(message);
    };
    this.#socket.onclose = () => {
      clearInterval(this.#timer);
      this.#registered.reject(new Error("Kontrol ended a connection"));
      if (this.#isClosed) return;
      throw new Error("Kontrol ended the connection of a kite that sends its heartbeats");
    };
  }

  get registered(): Promise<void> {
    return this.#registered.promise;
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.close();
  }

  #hear(message: Incoming): void {
    if (message.method === RESPONSE_ID) {
      resultOf(message);
      return this.#registered.resolve();
    }
    if (message.method !== "kite.heartbeat") return;
    const { response, ping } = heartbeatFunctions(message);
    if (response !== undefined) {
      this.#socket.send(invokeText(response, { error: null, result: null }));
    }
    if (ping === undefined) throw new Error("Kontrol gave no function for heartbeats");
    this.#ping = invokeText(ping);
    this.#timer ??= setInterval(() => {
      BeatingKite.beats++;
      this.#socket.send(this.#ping ?? "");
    }, INTERVAL);
  }
}

async function open(
  port: number,
  environment: string,
  kiteKey: string,
  count: number,
): Promise<BeatingKite[]> {
  const kites: BeatingKite[] = [];
  const worker = async (): Promise<void> => {
    while (kites.length < count) {
      const kite = new BeatingKite(port, environment, kiteKey);
      kites.push(kite);
      await kite.registered;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return kites;
}

async function settledMemory(pid: number, collect: boolean): Promise<number> {
  for (let round = 0; round < 2; round++) {
    await pause(SETTLE);
    if (collect) Deno.kill(pid, "SIGWINCH");
  }
  await pause(SETTLE);
  return residentKibibytes(pid);
}

async function main(): Promise<void> {
  boundLifetime();
  const options = new PeerOptions(Deno.args);
  const [port, pid, count] = [
    options.number("port"),
    options.number("pid"),
    options.number("kites"),
  ];
  const kiteKey = Deno.readTextFileSync(options.text("kitekey"));
  const collect = options.text("collect") === "yes";
  for (const kite of await open(port, "warm", kiteKey, WARMUP_KITES)) kite.close();
  await pause(2);
  const memoryBefore = await settledMemory(pid, collect);

  const kites = await open(port, "load", kiteKey, count);
  const memoryAfter = await settledMemory(pid, collect);

  const before = { cpu: cpuMicroseconds(pid), time: performance.now(), beats: BeatingKite.beats };
  await pause(options.number("seconds"));
  const elapsed = (performance.now() - before.time) / 1_000;
  const report: HeartbeatReport = {
    corePercent: (cpuMicroseconds(pid) - before.cpu) / elapsed / 10_000,
    kibibytesEach: (memoryAfter - memoryBefore) / count,
    heartbeats: (BeatingKite.beats - before.beats) / elapsed,
  };
  for (const kite of kites) kite.close();
  printLine(JSON.stringify(report));
  Deno.exit(0);
}

if (import.meta.main) await main();
