import { assertEquals } from "@std/assert";
import { skipUnlessPostgres, TestPostgres } from "../../support/postgres.ts";
import { TestProcess } from "../../support/process.ts";
import { denoRun, kiteOf, KontrolProcess, postgresFlags } from "./kontrol_process.ts";

const KITE = new URL("./kite_program.ts", import.meta.url);

/** Minutes; tokens and kite.keys tolerate five. */
const OFF = 4;

/** Starts a kite whose clock is `clock` minutes ahead, and calls it through each of `kontrols`. */
async function callThrough(
  clock: number,
  over: string,
  home: KontrolProcess,
  kontrols: readonly KontrolProcess[],
): Promise<void> {
  const name = `kite${clock}-${over}`;
  await using kite = await TestProcess.start({
    ...denoRun(KITE, [name, over, home.home, kontrols[0]!.url], clock),
    ready: (line) => line.startsWith("registered "),
  });
  for (const kontrol of kontrols) {
    await using caller = kiteOf([home], "caller", { kontrolUrl: kontrol.url });
    const [client] = await caller.getKites({ name });
    if (client === undefined) throw new Error(`${name} was not found`);
    await client.dial();
    const shift = Math.round((await client.tell<number>("now") - Date.now()) / 60_000);
    assertEquals(shift, clock, "its clock is shifted");
    assertEquals(await client.tell("who"), "kontrol by token");
    client.authentication = { type: "kiteKey", key: caller.config.kiteKey ?? "" };
    assertEquals(await client.tell("who"), "kontrol by kiteKey");
  }
  await kite.stop();
}

Deno.test({
  name: "faults: Kontrols and kites work together although their clocks differ by four minutes",
  ...await skipUnlessPostgres(),
  fn: async () => {
    await using server = await TestPostgres.start();
    const storage = postgresFlags(server, await server.createDatabase());
    // Signs kite.keys with times in the future.
    await using ahead = await KontrolProcess.start({ storage, clock: OFF });
    await using right = await KontrolProcess.start({ storage });
    await using behind = await KontrolProcess.start({ storage, clock: -OFF });
    await callThrough(0, "websocket", ahead, [right, ahead]);
    await callThrough(0, "http", behind, [right, behind]);
    await callThrough(OFF, "websocket", right, [right, ahead]);
    await callThrough(-OFF, "http", right, [right, behind]);

    // A heartbeat token with times in the future is valid, too.
    const key = await Deno.readTextFile(`${right.home}/kite.key`);
    const { identity: kite } = kiteOf([right], "http");
    const url = "http://127.0.0.1:1/kite";
    const body = { url, kite, auth: { type: "kiteKey", key }, heartbeatToken: true };
    const answer = await fetch(`${ahead.base}/register`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    const { heartbeatToken } = await answer.json();
    const heartbeat = `${right.base}/heartbeat?id=${kite.id}&token=${heartbeatToken}`;
    assertEquals(await (await fetch(heartbeat)).text(), "pong");
  },
});
