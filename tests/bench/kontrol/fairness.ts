/**
 * Measures how long one user waits for a new token, and anyone for `/healthz`, while another user
 * sends as many requests as its limits allow.
 *
 * `--port --kitekey (of the worst user) --private --public (Kontrol's) --inflight --sockets --warmup
 * --seconds`; prints one line of JSON, {@linkcode FairnessReport}.
 *
 * @module
 */
import { createKiteKey } from "../../../src/auth/kite_key.ts";
import { importPrivateKey } from "../../../src/auth/keys.ts";
import { Kite } from "../../../mod.ts";
import { ISSUER } from "../credentials.ts";
import { printLine } from "../output.ts";
import { boundLifetime, PeerOptions } from "../peer.ts";
import { denoProgram } from "../processes.ts";
import { pause } from "../statistics.ts";
import { ninetyNinth } from "./latency.ts";
import { singleQueries } from "./population.ts";

/** The results of one run, milliseconds. */
export interface FairnessReport {
  readonly tokenP99: number;
  readonly healthP99: number;
}

/** Milliseconds between two requests. */
const INTERVAL = 5;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function main(): Promise<void> {
  boundLifetime();
  const options = new PeerOptions(Deno.args);
  const port = options.number("port");
  const kontrolUrl = `http://127.0.0.1:${port}/kite`;
  const key = await createKiteKey({
    username: "bystander",
    kontrolUser: ISSUER,
    kontrolUrl,
    privateKey: await importPrivateKey(Deno.readTextFileSync(options.text("private"))),
    publicKeyPem: Deno.readTextFileSync(options.text("public")),
  });
  const kite = new Kite("bystander", "1.0.0", { username: "bystander", kiteKey: "" });
  const remote = kite.newClient(kontrolUrl, { authentication: { type: "kiteKey", key } });
  await remote.dial();
  const { command, args } = denoProgram("kontrol/worst_user.ts", {
    port,
    kitekey: options.text("kitekey"),
    inflight: options.number("inflight"),
    sockets: options.number("sockets"),
  });
  const worst = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const queries = singleQueries();
  const tokens: number[] = [];
  const health: number[] = [];
  const ask = async (seconds: number): Promise<void> => {
    const end = performance.now() + seconds * 1_000;
    for (let number = 0; performance.now() < end; number++) {
      const query = { ...queries[number % queries.length], force: true };
      tokens.push(await timed(() => remote.tell("getToken", query)));
      health.push(
        await timed(async () => await (await fetch(`http://127.0.0.1:${port}/healthz`)).text()),
      );
      await pause(INTERVAL / 1_000);
    }
  };
  await ask(options.number("warmup"));
  [tokens.length, health.length] = [0, 0];
  await ask(options.number("seconds"));
  const report: FairnessReport = { tokenP99: ninetyNinth(tokens), healthP99: ninetyNinth(health) };
  worst.kill("SIGKILL");
  await worst.status;
  printLine(JSON.stringify(report));
  remote.close();
}

if (import.meta.main) await main();
