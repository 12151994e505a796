/**
 * A load generator that uses little CPU: it sends prepared frames and counts answers in the bytes.
 *
 * `--port --path --pid (of the server) --connections --inflight (on each) --warmup --seconds
 * [--token]`; prints one line of JSON, {@linkcode LoadReport}.
 *
 * @module
 */
import { GOOD_ANSWER, readyCalls } from "./call.ts";
import { printLine } from "./output.ts";
import { boundLifetime, PeerOptions } from "./peer.ts";
import { pause } from "./statistics.ts";
import { cpuMicroseconds } from "./usage.ts";
import { FrameRing, LightSocket, MarkerCounter } from "./websocket.ts";

/** The results of one run. */
export interface LoadReport {
  readonly callsPerSecond: number;
  /** Answers in one frame, on average. */
  readonly answersPerFrame: number;
  /** CPU of the server for one call, microseconds. */
  readonly serverMicros: number;
  /** CPU of the load generator for one call, microseconds. */
  readonly loadMicros: number;
}

interface Progress {
  answers: number;
  stopped: boolean;
}

/**
 * Keeps `inFlight` calls running on one connection until it is stopped, then reads the remaining
 * answers.
 */
async function drive(
  socket: LightSocket,
  ring: FrameRing,
  inFlight: number,
  progress: Progress,
): Promise<void> {
  const marker = new MarkerCounter(GOOD_ANSWER);
  let outstanding = 0;
  let written = Promise.resolve();
  let free = inFlight;
  while (!progress.stopped || outstanding > 0) {
    while (free > 0 && !progress.stopped) {
      const { bytes, frames } = ring.take(free);
      await written;
      written = socket.write(bytes);
      outstanding += frames;
      free -= frames;
    }
    if (outstanding === 0) continue;
    const answers = await socket.read(marker);
    progress.answers += answers;
    outstanding -= answers;
    free += answers;
  }
  await written;
}

async function main(): Promise<void> {
  boundLifetime();
  const options = new PeerOptions(Deno.args);
  const port = options.number("port");
  const pid = options.number("pid");
  const calls = readyCalls(options.find("token"));
  const sockets: LightSocket[] = [];
  for (let index = 0; index < options.number("connections"); index++) {
    const path = options.text("path").replace("SESSION", `load${index}`);
    sockets.push(await LightSocket.open(port, path));
  }
  const progress: Progress = { answers: 0, stopped: false };
  const inFlight = options.number("inflight");
  const drivers = sockets.map((socket) => drive(socket, new FrameRing(calls), inFlight, progress));
  const all = Promise.all(drivers);
  await Promise.race([all, pause(options.number("warmup"))]);

  const framesNow = (): number => sockets.reduce((sum, socket) => sum + socket.frames, 0);
  const before = {
    answers: progress.answers,
    frames: framesNow(),
    server: cpuMicroseconds(pid),
    load: cpuMicroseconds(Deno.pid),
    time: performance.now(),
  };
  await Promise.race([all, pause(options.number("seconds"))]);
  const answers = progress.answers - before.answers;
  if (answers === 0) throw new Error("no answer came, or none was right");
  const report: LoadReport = {
    callsPerSecond: answers / ((performance.now() - before.time) / 1_000),
    answersPerFrame: answers / (framesNow() - before.frames),
    serverMicros: (cpuMicroseconds(pid) - before.server) / answers,
    loadMicros: (cpuMicroseconds(Deno.pid) - before.load) / answers,
  };
  progress.stopped = true;
  await all;
  for (const socket of sockets) socket.close();
  printLine(JSON.stringify(report));
}

if (import.meta.main) await main();
