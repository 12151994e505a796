import { assertEquals } from "@std/assert";
import { Kite } from "../../mod.ts";
import { TEST_LOCK } from "../../tools/paths.ts";
import { freePort } from "../support/ports.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const BOUND = 20_000;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function deno(args: readonly string[], env: Record<string, string> = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", TEST_LOCK, ...args],
    cwd: ROOT,
    env: { KITE_HOME: "/nonexistent", KITE_LOG_LEVEL: "INFO", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(BOUND),
  }).spawn();
}

async function ended(process: Deno.ChildProcess): Promise<Ended> {
  const { code, stdout, stderr } = await process.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("with KITE_VERSION a kite prints its version and exits", async () => {
  const { code, stdout } = await ended(deno(["examples/math.ts"], { KITE_VERSION: "1" }));
  assertEquals([code, stdout], [0, "1.0.0\n"]);
});

Deno.test("an invalid variable ends the program with an error that names it", async () => {
  const { code, stderr } = await ended(deno(["examples/math.ts"], { KITE_PORT: "many" }));
  assertEquals(code === 0, false);
  assertEquals(stderr.includes('Cannot use KITE_PORT "many": must be an integer'), true, stderr);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal}: a running call is answered, then the kite ends with code 0`, async () => {
    const port = freePort();
    const process = deno(["examples/math.ts"], { KITE_PORT: String(port), KITE_IP: "127.0.0.1" });
    const end = ended(process);
    await using client = new Kite("exp2", "1.0.0", { logLevel: "ERROR" }).newClient(
      `http://127.0.0.1:${port}/kite`,
      { reconnect: { initialDelay: 50, maxAttempts: 100 } },
    );
    await client.dialForever();
    const answer = client.tell("slowSquare", 7);
    await client.tell("square", 2); // the slow call is running by now
    process.kill(signal);
    assertEquals(await answer, 49);
    client.close();
    assertEquals((await end).code, 0);
  });
}

Deno.test("a kite behind TLS is reached over WebSocket and XHR", async () => {
  const { code, stdout, stderr } = await ended(
    deno(["--cert=tests/transport/tls/ca.pem", "tests/kite/tls_peer.ts"]),
  );
  assertEquals(stdout, "https: WebSocket 16\nhttps: XHRPolling 16\n", stderr);
  assertEquals(code, 0);
});
