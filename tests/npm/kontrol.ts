/** Kontrol's command on Node and Bun. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Kite } from "../../mod.ts";
import { TestProcess } from "../support/process.ts";
import { type Project, run, type Runtime } from "./support.ts";

const COMMAND = "node_modules/.bin/kontrol";

function start(
  { folder }: Project,
  { program }: Runtime,
  home: string,
  ...flags: string[]
): Promise<TestProcess> {
  return TestProcess.start({
    program,
    args: [COMMAND, "-ip=127.0.0.1", "-port=0", ...flags],
    cwd: folder,
    env: { KITE_HOME: home, NO_COLOR: "1", NODE_NO_WARNINGS: "1" },
    ready: (line) => line.startsWith("try "),
  });
}

function urlOf(kontrol: TestProcess): string {
  let url = "";
  kontrol.onLine((line) => url ||= /listens at (\S+),/.exec(line)?.[1] ?? "");
  return url;
}

/** Checks that kites register and find each other, also after a restart, over SQLite. */
export async function checkKontrol(project: Project, runtime: Runtime): Promise<void> {
  const home = `${project.folder}/${runtime.name.replace(" ", "")}`;
  const kite = (name: string, kontrolUrl: string) =>
    new Kite(name, "1.0.0", { ip: "127.0.0.1", kiteHome: home, kontrolUrl, logLevel: "FATAL" });
  {
    await using kontrol = await start(project, runtime, home);
    await using math = kite("math", urlOf(kontrol));
    math.handle("square", ({ args, username }) => `${username} ${args.one().number() ** 2}`);
    await math.register((await math.listen()).url);
    await using exp2 = kite("exp2", urlOf(kontrol));
    const [remote] = await exp2.getKites({ name: "math" });
    await remote!.dial();
    assertEquals(await remote!.tell("square", 4), "kontrol 16");
    await using once = kite("once", urlOf(kontrol));
    await once.registerHttp("http://127.0.0.1:1/kite");
    Deno.kill(kontrol.pid, "SIGTERM");
    assertEquals(await kontrol.exitCode(), 0);
  }
  await using kontrol = await start(project, runtime, home);
  await using exp2 = kite("exp2", urlOf(kontrol));
  assertEquals((await exp2.getKites({ name: "once" })).length, 1, "it is still registered");
}

/** Checks that the driver of a storage is named when it is not installed. */
export async function checkMissingDriver(project: Project, runtime: Runtime): Promise<void> {
  const { success, stderr } = await run(project.folder, runtime.program, [
    ...[COMMAND, "-ip=127.0.0.1", "-port=0", "-storage=postgres"],
    ...["-postgres-username=kontrol", "-postgres-dbname=kontrol", "-initial"],
  ], { KITE_HOME: `${project.folder}/none` });
  assert(!success);
  assertStringIncludes(stderr, "install it, for example with `npm install postgres`");
}
