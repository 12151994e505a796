/** The programs that are compared, and how each is started. */
import { type Credentials, ISSUER, USER } from "./credentials.ts";
import {
  denoProgram,
  freePort,
  type Program,
  type ServerProcess,
  startServer,
} from "./processes.ts";

/** The implementation of a server, or of a client and server. */
export type Contender = "ours" | "compact" | "floor" | "compactFloor" | "go" | "kitejs";

/** The paths that a run needs to start the contenders. */
export interface Setting {
  readonly credentials: Credentials;
  /** The Go program of tests/interop/go; undefined where there is no Go. */
  readonly goPeer: string | undefined;
  /**
   * The folder, with its slash, whose node_modules holds kite.js; undefined where there is none.
   */
  readonly kitejsFolder: string | undefined;
}

/** True if the contender's programs are installed. */
export function isPresent(contender: Contender, setting: Setting): boolean {
  if (contender === "go") return setting.goPeer !== undefined;
  if (contender === "kitejs") return setting.kitejsFolder !== undefined;
  return true;
}

/**
 * Starts a server of the contender.
 *
 * @param token whether every call needs a token
 * @param frugal whether to start it with its lowest memory settings, if it has any
 */
export function startContender(
  contender: Contender,
  token: boolean,
  frugal: boolean,
  setting: Setting,
): Promise<ServerProcess> {
  const port = freePort();
  const program = serverProgram(contender, port, token, setting);
  // Deno servers collect garbage on request. Go can only be configured to do so often.
  const env = frugal && contender === "go" ? { GOGC: "10" } : {};
  return startServer({ ...program, env: { ...program.env, ...env } }, port);
}

/** The path of WebSockets at the contender's server. SESSION is replaced with a session's id. */
export function socketPath(): string {
  return "/kite/100/SESSION/websocket";
}

/** The URL that a kite's client dials. */
export function kiteUrl(server: ServerProcess): string {
  return `http://127.0.0.1:${server.port}/kite`;
}

/** The Go client. */
export function goCaller(
  server: ServerProcess,
  inFlight: number,
  calls: number,
  setting: Setting,
): Program {
  const { credentials, goPeer = "" } = setting;
  return {
    command: goPeer,
    args: [
      "bench-call",
      ...["-url", kiteUrl(server), "-inflight", `${inFlight}`, "-conns", "1"],
      ...["-calls", `${calls}`, "-token", credentials.token],
    ],
  };
}

/** The client of kite.js, on Node. */
export function kitejsCaller(
  server: ServerProcess,
  inFlight: number,
  warmup: number,
  seconds: number,
  setting: Setting,
): Program {
  const numbers = [server.port, inFlight, warmup, seconds].map(String);
  return kitejsProgram(["call", ...numbers], setting);
}

function serverProgram(
  contender: Contender,
  port: number,
  token: boolean,
  setting: Setting,
): Program {
  const { credentials, goPeer = "" } = setting;
  switch (contender) {
    case "ours":
    case "compact":
      return denoProgram("serve.ts", {
        port,
        ...(token ? { kontrolkey: credentials.kontrolKeyFile } : {}),
      });
    case "floor":
      return denoProgram("floor.ts", { port });
    case "compactFloor":
      return denoProgram("compact_floor.ts", { mode: "serve", port });
    case "go":
      return {
        command: goPeer,
        args: [
          ...["bench-serve", "-port", `${port}`],
          ...(token
            ? ["-kontrolkey", credentials.kontrolKeyFile, "-username", USER, "-issuer", ISSUER]
            : []),
        ],
      };
    case "kitejs":
      return kitejsProgram(["serve", `${port}`], setting);
  }
}

function kitejsProgram(words: readonly string[], setting: Setting): Program {
  const script = new URL("kitejs.cjs", import.meta.url).pathname;
  return {
    command: "node",
    args: [script, ...words],
    env: { NODE_PATH: `${setting.kitejsFolder}node_modules` },
  };
}
