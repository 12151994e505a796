/** What is measured: each a fresh server and a fresh client, one contender, one round. */
import {
  type Contender,
  goCaller,
  isPresent,
  kitejsCaller,
  kiteUrl,
  type Setting,
  socketPath,
  startContender,
} from "./contenders.ts";
import type { ClientReport } from "./client.ts";
import type { IdleReport } from "./idle.ts";
import type { LoadReport } from "./load.ts";
import { denoProgram, runToEnd, type ServerProcess } from "./processes.ts";

/** The numbers of one measurement, by name. */
export type Figures = Readonly<Record<string, number>>;

/** One measurement. */
export interface Measure {
  readonly name: MeasureName;
  readonly contender: Contender;
  run(setting: Setting): Promise<Figures>;
}

/** How long one measurement takes, and how big it is. */
export interface Effort {
  /** Seconds before counting begins. */
  readonly warmup: number;
  /** Seconds of counting. */
  readonly seconds: number;
  /** Calls of the Go client, which counts calls instead of seconds. */
  readonly goCalls: number;
  readonly idleConnections: number;
  /** Items of the compact stream; a fifth of it without compact messages. */
  readonly items: number;
}

/** The thorough effort. */
export const FULL: Effort = {
  warmup: 1.5,
  seconds: 3,
  goCalls: 40_000,
  idleConnections: 2_000,
  items: 10_000_000,
};
/** The effort of `--quick`. */
export const QUICK: Effort = {
  warmup: 0.7,
  seconds: 1,
  goCalls: 8_000,
  idleConnections: 1_000,
  items: 2_000_000,
};

/** The name of a measurement, as in `--only`. */
export type MeasureName =
  | "one"
  | "flight"
  | "flight-many"
  | "load"
  | "load-token"
  | "load-many"
  | "sizes"
  | "typed"
  | "idle"
  | "idle-called"
  | "slow"
  | "stream"
  | "stream-plain";

interface GoReport {
  readonly callsPerSecond: number;
  readonly p50ms: number;
}

const IN_FLIGHT = 64;
const MANY_IN_FLIGHT = 512;

/** Every measurement of which the programs are present. */
export function allMeasures(effort: Effort, setting: Setting): Measure[] {
  const measures: Measure[] = [];
  const add = (
    name: MeasureName,
    contenders: readonly Contender[],
    figures: (server: ServerProcess, contender: Contender) => Promise<Figures>,
    token = true,
  ): void => {
    for (const contender of contenders) {
      if (!isPresent(contender, setting)) continue;
      const run = async (): Promise<Figures> => {
        await using server = await startContender(
          contender,
          token,
          name.startsWith("idle"),
          setting,
        );
        return await figures(server, contender);
      };
      measures.push({ name, contender, run });
    }
  };

  const clients = ["ours", "compact", "floor", "compactFloor", "go", "kitejs"] as const;
  const servers = ["ours", "floor", "go"] as const;
  add("one", clients, (server, contender) => call(server, contender, 1, effort, setting));
  add(
    "flight",
    clients,
    (server, contender) => call(server, contender, IN_FLIGHT, effort, setting),
  );
  add(
    "flight-many",
    ["compact", "compactFloor"],
    (server, contender) => call(server, contender, MANY_IN_FLIGHT, effort, setting),
  );
  add("load", servers, (server) => load(server, 1, IN_FLIGHT, false, effort, setting), false);
  add("load-token", servers, (server) => load(server, 1, IN_FLIGHT, true, effort, setting));
  add("load-many", servers, (server) => load(server, 50, 4, true, effort, setting));
  add("typed", ["compact"], (server) => {
    const mode = { mode: "typed", inflight: IN_FLIGHT, compact: "yes" };
    return ownClient(server, mode, effort, setting);
  });
  add("sizes", ["ours"], (server) => ownClient(server, { mode: "sizes" }, effort, setting));
  add("idle", servers, (server, contender) => idle(server, contender, false, effort, setting));
  add("idle-called", servers, (server, contender) => {
    return idle(server, contender, true, effort, setting);
  });
  add("slow", ["ours"], (server) => ownClient(server, { mode: "slow" }, effort, setting));
  const { items } = effort;
  add("stream", ["ours"], (server) => {
    return ownClient(server, { mode: "stream", items, compact: "yes" }, effort, setting);
  });
  add("stream-plain", ["ours"], (server) => {
    return ownClient(server, { mode: "stream", items: items / 5, compact: "no" }, effort, setting);
  });
  return measures;
}

async function call(
  server: ServerProcess,
  contender: Contender,
  inFlight: number,
  effort: Effort,
  setting: Setting,
): Promise<Figures> {
  if (contender === "go") {
    const calls = inFlight === 1 ? effort.goCalls / 4 : effort.goCalls;
    const report = await runToEnd<GoReport>(goCaller(server, inFlight, calls, setting));
    return { p50: report.p50ms, perSecond: report.callsPerSecond };
  }
  if (contender === "kitejs") {
    const { warmup, seconds } = effort;
    const program = kitejsCaller(server, inFlight, warmup, seconds, setting);
    return await runToEnd<ClientReport>(program);
  }
  if (contender === "compactFloor") {
    const { warmup, seconds } = effort;
    const options = { mode: "call", port: server.port, inflight: inFlight, warmup, seconds };
    return await runToEnd<ClientReport>(denoProgram("compact_floor.ts", options));
  }
  const compact = contender === "compact" ? "yes" : "no";
  return await ownClient(server, { mode: "calls", inflight: inFlight, compact }, effort, setting);
}

function ownClient(
  server: ServerProcess,
  options: Readonly<Record<string, string | number>>,
  effort: Effort,
  { credentials }: Setting,
): Promise<ClientReport> {
  const { warmup, seconds } = effort;
  return runToEnd<ClientReport>(denoProgram("client.ts", {
    url: kiteUrl(server),
    token: credentials.token,
    warmup,
    seconds,
    ...options,
  }));
}

async function load(
  server: ServerProcess,
  connections: number,
  inFlight: number,
  token: boolean,
  effort: Effort,
  { credentials }: Setting,
): Promise<Figures> {
  const { warmup, seconds } = effort;
  const report = await runToEnd<LoadReport>(denoProgram("load.ts", {
    port: server.port,
    pid: server.pid,
    path: socketPath(),
    connections,
    inflight: inFlight,
    warmup,
    seconds,
    ...(token ? { token: credentials.token } : {}),
  }));
  return { ...report };
}

async function idle(
  server: ServerProcess,
  contender: Contender,
  called: boolean,
  effort: Effort,
  { credentials }: Setting,
): Promise<Figures> {
  const report = await runToEnd<IdleReport>(denoProgram("idle.ts", {
    port: server.port,
    pid: server.pid,
    path: socketPath(),
    connections: effort.idleConnections,
    collect: contender === "go" ? "no" : "yes",
    call: called ? "yes" : "no",
    token: credentials.token,
  }));
  return { ...report };
}
