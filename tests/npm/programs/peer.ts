/**
 * A kite of the installed package, driven by lines of JSON: `peer.ts serve`, or `peer.ts call URL
 * TRANSPORT`. The repository's `mod.ts` is replaced by the package.
 */

import process from "node:process";
import { KiteError, type RemoteKite } from "../../../mod.ts";
import { OurCaller } from "../../interop/caller.ts";
import { ourKite } from "../../interop/our_kite.ts";
import { eventually } from "../../support/eventually.ts";

interface Command {
  readonly id: number;
  readonly do: "call" | "invoke" | "invocations" | "close";
  readonly args: readonly unknown[];
}

function say(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const {
  PEER_CERT: certFile,
  PEER_KEY: keyFile,
  PEER_CA: ca,
  PEER_MESSAGE_BYTES: messageBytes,
  PEER_CONNECTIONS: connections,
  PEER_ORIGIN: origin,
} = process.env;
const kite = ourKite({
  ...(certFile !== undefined && keyFile !== undefined && { tls: { certFile, keyFile } }),
  ...(ca !== undefined && { ca }),
  ...(origin !== undefined && { origins: [origin] }),
  limits: {
    ...(messageBytes !== undefined && { messageBytes: Number(messageBytes) }),
    ...(connections !== undefined && { connections: Number(connections) }),
  },
});
const [mode, url = "", transport = "auto"] = process.argv.slice(2);
let remote: RemoteKite | undefined;
if (mode === "serve") {
  say({ event: "ready", url: (await kite.listen()).url });
} else {
  const client = kite.newClient(url, { transport: transport as "auto" });
  await client.dial();
  remote = client;
  say({ event: "ready", url });
}

/** The other end: what was dialled, or the one that has dialled. */
async function otherEnd(): Promise<RemoteKite> {
  return remote ?? await eventually(() => [...kite.connections][0], { what: "a connection" });
}

let caller: OurCaller | undefined;

async function obey({ do: what, args }: Command): Promise<unknown> {
  if (what === "close") return await kite.close();
  caller ??= new OurCaller(await otherEnd());
  const [first, ...rest] = args;
  switch (what) {
    case "call":
      return await caller.call(String(first), ...rest as [unknown[], number]);
    case "invoke":
      return await caller.invoke(first, rest[0] as unknown[]);
    case "invocations":
      return await caller.invocations(String(first), Number(rest[0]));
  }
}

function receive(line: string): void {
  const command: Command = JSON.parse(line);
  obey(command).then(
    (result) => say({ id: command.id, result }),
    (error: unknown) => {
      const { type = "", code = "" } = error instanceof KiteError ? error : {};
      say({ id: command.id, error: { type, code, message: String(error) } });
    },
  );
}

// Not by node:readline, which takes U+2028 for the end of a line.
let rest = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk: string) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) receive(line);
});
process.stdin.on("end", () => process.exit(0));
