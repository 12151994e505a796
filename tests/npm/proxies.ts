/** The commands of the proxies on Node and Bun. */

import { assertEquals } from "@std/assert";
import { startTestKontrol, type TestKontrol } from "../../src/testing/mod.ts";
import { ourKite } from "../interop/our_kite.ts";
import { TestProcess } from "../support/process.ts";
import type { Project, Runtime } from "./support.ts";

/** Checks that a kite becomes reachable through each proxy, over both transports, and that they end. */
export async function checkProxies(project: Project, runtime: Runtime): Promise<void> {
  await using kontrol = await startTestKontrol({ username: "kontrol" });
  for (const command of ["reverseproxy", "tunnelproxy"] as const) {
    await using proxy = await startProxy(project, runtime, kontrol, command);
    await using kite = ourKite({
      kiteKey: await kontrol.kiteKey("kontrol"),
      kontrolUrl: kontrol.url,
      environment: "development",
    });
    const url = command === "tunnelproxy"
      ? await kite.registerToTunnel()
      : await kite.registerToProxy((await kite.listen()).url);
    for (const transport of ["WebSocket", "XHRPolling"] as const) {
      await using caller = ourKite();
      const client = caller.newClient(url, { transport });
      await client.dial();
      assertEquals([await client.tell("square", 4), client.transport], [16, transport], command);
    }
    await kite.close();
    Deno.kill(proxy.pid, "SIGTERM");
    assertEquals(await proxy.exitCode(), 0);
  }
}

async function startProxy(
  { folder }: Project,
  { name, program }: Runtime,
  kontrol: TestKontrol,
  command: string,
): Promise<TestProcess> {
  const home = `${folder}/${command}-${name.replace(" ", "")}`;
  await Deno.mkdir(home);
  await Deno.writeTextFile(`${home}/kite.key`, await kontrol.kiteKey("kontrol"));
  return await TestProcess.start({
    program,
    args: [`node_modules/.bin/${command}`, "-ip=127.0.0.1", "-port=0"],
    cwd: folder,
    env: { KITE_HOME: home, KITE_KONTROL_URL: "", NO_COLOR: "1", NODE_NO_WARNINGS: "1" },
    ready: (line) => line.includes(" listens at "),
  });
}
