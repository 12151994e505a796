/** What is measured of a Kontrol: each a fresh Kontrol and a fresh load, one contender, one round. */
import { denoProgram, runToEnd, type ServerProcess } from "../processes.ts";
import { type Contender, isPresent, startKontrol } from "./contenders.ts";
import type { FairnessReport } from "./fairness.ts";
import type { HeartbeatReport } from "./heartbeats.ts";
import type { LatencyReport } from "./latency.ts";
import type { RateReport } from "./light.ts";
import type { Setting } from "./setting.ts";

/** The numbers of one measurement, by name. */
export type Figures = Readonly<Record<string, number>>;

/** One measurement. */
export interface Measure {
  readonly name: MeasureName;
  readonly contender: Contender;
  run(): Promise<Figures>;
}

/** How long one measurement takes, and how big it is. */
export interface Effort {
  /** Seconds before counting begins. */
  readonly warmup: number;
  /** Seconds of counting. */
  readonly seconds: number;
  /** Kites that send heartbeats. */
  readonly kites: number;
  /** Seconds for which they are watched: in 45 each is refreshed in the storage once. */
  readonly heartbeatSeconds: number;
}

/** The thorough effort. */
export const FULL: Effort = { warmup: 2, seconds: 4, kites: 5_000, heartbeatSeconds: 46 };
/** The effort of `--quick`. */
export const QUICK: Effort = { warmup: 1, seconds: 1.5, kites: 1_000, heartbeatSeconds: 20 };

/** The name of a measurement, as in `--only`. */
export type MeasureName =
  | "kites-1"
  | "kites-100"
  | "kites-1000"
  | "ten-of-100"
  | "ten-of-10000"
  | "token-cached"
  | "token-cold"
  | "register-websocket"
  | "register-http"
  | "fairness-1"
  | "fairness-64"
  | "heartbeats";

/** Calls on their way at the same time, on one connection. */
const IN_FLIGHT = 8;

/** Calls of a user who asks all that one may. */
const WORST_IN_FLIGHT = 256;

const ALL = ["postgres", "go", "etcd", "go-etcd", "sqlite", "memory"] as const;
const SOME = ["sqlite", "postgres", "go"] as const;

/** Every measurement of which the programs are present. */
export function allMeasures(effort: Effort, setting: Setting): Measure[] {
  const measures: Measure[] = [];
  const add = (
    name: MeasureName,
    contenders: readonly Contender[],
    kites: number,
    figures: (server: ServerProcess, contender: Contender) => Promise<Figures>,
  ): void => {
    for (const contender of contenders) {
      if (!isPresent(contender, setting)) continue;
      const run = async (): Promise<Figures> => {
        await using server = await startKontrol(contender, kites, setting);
        return await figures(server, contender);
      };
      measures.push({ name, contender, run });
    }
  };
  const load = <Report extends Figures>(
    file: string,
    { port, pid }: ServerProcess,
    options: Readonly<Record<string, string | number>>,
  ): Promise<Figures> => {
    const { warmup, seconds } = effort;
    return runToEnd<Report>(denoProgram(`kontrol/${file}`, {
      ...{ port, pid, warmup, seconds, kitekey: setting.keys.kiteKey, inflight: IN_FLIGHT },
      ...options,
    }));
  };
  const light = (server: ServerProcess, mode: string, results: number): Promise<Figures> => {
    return load<RateReport & Figures>("light.ts", server, { mode, results });
  };
  const latency = (server: ServerProcess): Promise<Figures> => {
    return load<LatencyReport & Figures>("latency.ts", server, { results: 10 });
  };
  const registering = (server: ServerProcess, mode: string): Promise<Figures> => {
    return load<RateReport & Figures>("registering.ts", server, { mode });
  };

  for (const results of [1, 100, 1_000] as const) {
    add(`kites-${results}`, ALL, 1_000, (server) => light(server, "kites", results));
  }
  add("ten-of-100", ["sqlite"], 100, latency);
  add("ten-of-10000", ["sqlite"], 10_000, latency);
  add("token-cached", SOME, 1_000, (server) => light(server, "token", 1));
  add("token-cold", SOME, 1_000, (server) => light(server, "force", 1));
  add("register-websocket", SOME, 0, (server) => registering(server, "websocket"));
  add("register-http", SOME, 0, (server) => registering(server, "http"));
  for (const sockets of [1, 64] as const) {
    add(`fairness-${sockets}`, ["sqlite", "memory"], 20_000, (server) => {
      const { publicKey, privateKey } = setting.keys;
      const keys = { public: publicKey, private: privateKey };
      return load<FairnessReport & Figures>("fairness.ts", server, {
        ...keys,
        inflight: WORST_IN_FLIGHT,
        sockets,
      });
    });
  }
  add("heartbeats", ["sqlite", "go"], 0, (server, contender) => {
    return load<HeartbeatReport & Figures>("heartbeats.ts", server, {
      kites: effort.kites,
      seconds: effort.heartbeatSeconds,
      collect: contender === "go" ? "no" : "yes",
    });
  });
  return measures;
}
