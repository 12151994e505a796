import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { KiteError, VERSION } from "../../mod.ts";
import { startTestKontrol, type TestKontrol } from "../../src/testing/mod.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { TestProcess } from "../support/process.ts";
import { ourKite } from "../interop/our_kite.ts";

type Program = "reverse" | "tunnel";
const PROGRAMS: readonly Program[] = ["reverse", "tunnel"];
const MAIN = (program: Program) =>
  new URL(`../../src/proxy/${program}/main.ts`, import.meta.url).pathname;

/** A proxy's program with a kite.key of `kontrol`, under the permissions that its task gives. */
async function startProgram(
  program: Program,
  kontrol: TestKontrol,
  ...flags: string[]
): Promise<TestProcess & { home: string }> {
  const home = await Deno.makeTempDir();
  await Deno.writeTextFile(`${home}/kite.key`, await kontrol.kiteKey("kontrol"));
  const process = await TestProcess.start({
    program: Deno.execPath(),
    args: ["run", "--no-check", "--permission-set=proxy", MAIN(program), "-ip=127.0.0.1", ...flags],
    env: { KITE_HOME: home, KITE_KONTROL_URL: "", NO_COLOR: "1" },
    ready: (line) => line.includes(" listens at "),
  });
  return Object.assign(process, { home });
}

async function run(program: Program, ...flags: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--permission-set=proxy", MAIN(program), ...flags],
    env: { KITE_HOME: "/nowhere" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

for (const program of PROGRAMS) {
  Deno.test(`${program}: -h, --help and --version answer and exit with 0`, async () => {
    for (const flag of ["-h", "--help"]) {
      const { code, stdout } = await run(program, flag);
      assertEquals(code, 0);
      assertMatch(stdout, /Usage: .*proxy \[-flag=value \.\.\.\]/);
      assertStringIncludes(stdout, "-port=PORT");
    }
    assertEquals(await run(program, "--version").then(({ code, stdout }) => [code, stdout]), [
      0,
      `${VERSION}\n`,
    ]);
  });

  Deno.test(`${program}: a wrong flag or value ends with 1 and names what is accepted`, async () => {
    for (
      const [flag, reason] of [
        ["-prot=1", "did you mean -port?"],
        ["-port=70000", "from 0 to 65535"],
        ["-cert=/nowhere", "-cert and -key must be given together"],
      ] as const
    ) {
      const { code, stderr } = await run(program, flag);
      assertEquals(code, 1);
      assertStringIncludes(stderr, reason);
    }
  });

  Deno.test(`${program}: killed and started again under load, calls fail, then work, and none hangs`, async () => {
    await using kontrol = await startTestKontrol({ kite: { logLevel: "FATAL" } });
    const port = freePort();
    const url = `http://127.0.0.1:${port}/kite`;
    const environment = "development";
    let proxy = await startProgram(program, kontrol, `-port=${port}`);
    const kite = ourKite({
      kiteKey: await kontrol.kiteKey("kontrol"),
      kontrolUrl: kontrol.url,
      environment,
    });
    let proxied: string;
    if (program === "reverse") {
      const server = await kite.listen();
      proxied = await kite.registerToProxy(server.url, { proxyUrl: url });
    } else {
      proxied = await kite.registerToTunnel({ proxyUrl: url });
    }
    const caller = ourKite({}, "caller");
    const client = caller.newClient(proxied, { whileDown: "fail", reconnect: { maxDelay: 200 } });
    await client.dialForever();

    const outcomes = { worked: 0, failed: 0, wrong: [] as unknown[] };
    let isOver = false;
    const load = Array.from({ length: 8 }, async (_, i) => {
      while (!isOver) {
        try {
          if (await client.tellWith({ timeout: 5_000 }, "square", i) !== i ** 2) throw i;
          outcomes.worked++;
        } catch (error) {
          if (error instanceof KiteError && error.type === "disconnect") outcomes.failed++;
          else outcomes.wrong.push(error);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    });
    const worksFrom = (count: number) =>
      eventually(() => outcomes.worked > count + 200, { withinMs: 20_000 });
    await worksFrom(0);
    for (let round = 0; round < 2; round++) {
      await proxy.kill();
      await eventually(() => outcomes.failed > 0);
      await Deno.remove(proxy.home, { recursive: true });
      proxy = await startProgram(program, kontrol, `-port=${port}`);
      await worksFrom(outcomes.worked);
      outcomes.failed = 0;
    }
    isOver = true;
    await Promise.all(load);
    assertEquals(outcomes.wrong, []);
    await caller.close();
    await kite.close();
    // Told to stop, it ends in order and prints no secret.
    const key = (await Deno.readTextFile(`${proxy.home}/kite.key`)).trim();
    const lines: string[] = [];
    proxy.onLine((line) => lines.push(line));
    await proxy.stop();
    assertEquals(await proxy.exitCode(), 0);
    assertEquals(lines.filter((line) => line.includes(" listens at ")).length, 1);
    assert(!lines.some((line) => line.includes(key) || /eyJ|token=/.test(line)), lines.join("\n"));
    await Deno.remove(proxy.home, { recursive: true });
  });
}

Deno.test("registerToProxy: of several proxies one is picked, and another one when it goes", async () => {
  await using kontrol = await startTestKontrol({
    username: "kontrol",
    kite: { logLevel: "FATAL" },
  });
  const proxies = new Map<number, TestProcess & { home: string }>();
  for (let i = 0; i < 2; i++) {
    const port = freePort();
    proxies.set(port, await startProgram("reverse", kontrol, `-port=${port}`));
  }
  const kite = ourKite({
    kiteKey: await kontrol.kiteKey("kontrol"),
    kontrolUrl: kontrol.url,
    environment: "development",
  });
  const query = { username: "kontrol", environment: "development", name: "proxy" };
  await eventually(async () => (await kite.getKites(query)).length === 2);
  const server = await kite.listen();
  let first = "";
  kite.registerToProxy(server.url).then((url) => first = url, () => {});
  await eventually(() => first !== "", { withinMs: 15_000, what: "a registration" });
  const port = Number(new URL(first).port);
  await proxies.get(port)!.kill();
  const caller = await kontrol.newKite("caller", "1.0.0");
  const found = await eventually(async () => {
    const [client] = await caller.getKites({ id: kite.id });
    return client !== undefined && Number(new URL(client.url).port) !== port && client;
  }, { withinMs: 15_000, what: "the kite at the other proxy" });
  await found.dial();
  assertEquals(await found.tell("square", 4), 16);
  await kite.close();
  await caller.close();
  for (const proxy of proxies.values()) {
    await proxy.stop();
    await Deno.remove(proxy.home, { recursive: true });
  }
});

Deno.test("registerToProxy: without a proxy it keeps looking until the kite is closed", async () => {
  await using kontrol = await startTestKontrol({ kite: { logLevel: "FATAL" } });
  const kite = await kontrol.newKite("lonely", "1.0.0");
  const givenUp = assertRejects(
    () => kite.registerToProxy("http://127.0.0.1:9/kite"),
    KiteError,
    "the registration was stopped",
  );
  await new Promise((resolve) => setTimeout(resolve, 700));
  await kite.close();
  await givenUp;
});
