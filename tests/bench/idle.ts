/**
 * Measures the memory of an idle connection: a server's resident memory before and after opening
 * many.
 *
 * `--port --path --pid (of the server) --connections [--collect=yes] [--call=yes] [--token]` (a
 * Deno server collects its garbage when asked by signal; with `call` each connection makes one call
 * before it becomes idle); prints one line of JSON, {@linkcode IdleReport}.
 *
 * @module
 */
import { GOOD_ANSWER, readyCalls } from "./call.ts";
import { printLine } from "./output.ts";
import { boundLifetime, PeerOptions } from "./peer.ts";
import { pause } from "./statistics.ts";
import { residentKibibytes } from "./usage.ts";
import { FrameRing, LightSocket, MarkerCounter } from "./websocket.ts";

/** The results of one run. */
export interface IdleReport {
  /** KiB of resident memory for each connection. */
  readonly kibibytesEach: number;
}

/**
 * Connections that are opened and closed first, so that code and pools are loaded before measuring.
 */
const WARMUP_CONNECTIONS = 100;
/** Seconds to wait before a server's memory is read. */
const SETTLE = 0.7;
const BUFFER_BYTES = 4_096;

async function settledMemory(pid: number, collect: boolean): Promise<number> {
  for (let round = 0; round < 2; round++) {
    await pause(SETTLE);
    if (collect) Deno.kill(pid, "SIGWINCH");
  }
  await pause(SETTLE);
  return residentKibibytes(pid);
}

async function callOnce(socket: LightSocket, ring: FrameRing): Promise<void> {
  const marker = new MarkerCounter(GOOD_ANSWER);
  await socket.write(ring.take(1).bytes);
  while (await socket.read(marker) === 0);
}

async function main(): Promise<void> {
  boundLifetime();
  const options = new PeerOptions(Deno.args);
  const port = options.number("port");
  const pid = options.number("pid");
  const collect = options.find("collect") === "yes";
  const ring = new FrameRing(readyCalls(options.find("token")));
  const open = async (name: string, count: number): Promise<LightSocket[]> => {
    const sockets: LightSocket[] = [];
    for (let index = 0; index < count; index++) {
      const path = options.text("path").replace("SESSION", `${name}${index}`);
      const socket = await LightSocket.open(port, path, BUFFER_BYTES);
      sockets.push(socket);
      if (options.find("call") === "yes") await callOnce(socket, ring);
    }
    return sockets;
  };
  for (const socket of await open("warm", WARMUP_CONNECTIONS)) socket.close();
  const before = await settledMemory(pid, collect);
  const connections = options.number("connections");
  const sockets = await open("idle", connections);
  const after = await settledMemory(pid, collect);
  for (const socket of sockets) socket.close();
  const report: IdleReport = { kibibytesEach: (after - before) / connections };
  printLine(JSON.stringify(report));
}

if (import.meta.main) await main();
