import { assert, assertEquals } from "@std/assert";
import { runDeno } from "../runtime/support.ts";

/**
 * Milliseconds that a process may live on after its last line. What a closed kite left behind kept it
 * alive for 15 seconds.
 */
const BOUND = 8_000;

const MOD = new URL("../../mod.ts", import.meta.url).href;
const HEAD = `
import { Kite } from "${MOD}";
const quiet = { ip: "127.0.0.1", kiteKey: "", logLevel: "WARNING" };
const slow = new Kite("slow", "1.0.0", quiet).disableAuthentication();
slow.handle("slow", () => new Promise((resolve) => setTimeout(() => resolve("done"), 100)));
slow.handle("add", ({ args }) => args.length);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let last = performance.now();
globalThis.addEventListener("unload", () => console.log(Math.round(performance.now() - last)));
const server = await slow.listen();
const me = new Kite("me", "1.0.0", quiet);
`;

/** Programs that close while a message is under way. */
const PROGRAMS: Readonly<Record<string, string>> = {
  "a kite that closes while a call runs": `
    const remote = me.newClient(server.url);
    await remote.dial();
    const call = remote.tell("slow").catch((error) => error.type);
    await slow.close({ deadline: 10 });
    await call;`,
  "a kite that closes while a client sends without end": `
    const remote = me.newClient(server.url);
    await remote.dial();
    let isOpen = true;
    remote.onDisconnect(() => isOpen = false);
    const calls = (async () => {
      while (isOpen) await Promise.allSettled(Array.from({ length: 50 }, () => remote.tell("add", 1)));
    })();
    await pause(100);
    await slow.close();
    await calls;`,
  "a kite that closes while clients redial": `
    const remotes = [1, 2, 3].map(() => me.newClient(server.url));
    await Promise.all(remotes.map((remote) => remote.dialForever()));
    await slow.close();
    await Promise.all(remotes.map((remote) => remote[Symbol.asyncDispose]()));`,
  "a kite whose peers broke off": `
    const { hostname, port } = server;
    const peers = await Promise.all([1, 2, 3].map(() => Deno.connect({ hostname, port })));
    const head = "GET /kite/000/x/websocket HTTP/1.1\\r\\nHost: h\\r\\nUpgrade: websocket\\r\\n" +
      "Connection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n";
    for (const peer of peers) {
      await peer.write(new TextEncoder().encode(head));
      await peer.read(new Uint8Array(4096));
      // Half of a frame, and then nothing.
      await peer.write(new Uint8Array([0x81, 0xff, 0, 0]));
      peer.close();
    }
    await pause(100);
    await slow.close();`,
  "a kite that run() ends": `
    await slow.close();
    const running = new Kite("runner", "1.0.0", quiet).disableAuthentication();
    let url;
    running.handle("add", ({ args }) => args.length);
    running.onListen((server) => url = server.url);
    const ran = running.run();
    while (url === undefined) await pause(5);
    const remote = me.newClient(url);
    await remote.dial();
    const calls = Promise.allSettled(Array.from({ length: 500 }, () => remote.tell("add", 1)));
    Deno.kill(Deno.pid, "SIGTERM");
    await ran;
    await calls;`,
};

for (const [name, body] of Object.entries(PROGRAMS)) {
  Deno.test(`the process ends immediately, without a warning: ${name}`, async () => {
    const code = `${HEAD}${body}\nlast = performance.now();`;
    const { code: exit, stdout, stderr } = await runDeno(["--no-check", "-A"], code);
    assertEquals([exit, stderr], [0, ""]);
    assert(Number(stdout) < BOUND, `the process lived on for ${stdout} ms`);
  });
}
