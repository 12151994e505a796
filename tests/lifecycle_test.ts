import { assertEquals, assertRejects } from "@std/assert";
import { createKontrol, MemoryStorage } from "../kontrol/mod.ts";
import { Kite } from "../mod.ts";
import { Lifecycle } from "../src/lifecycle.ts";
import { KiteError } from "../src/protocol/errors.ts";
import { ReverseProxy, TunnelProxy } from "../src/proxy/mod.ts";
import { freePort } from "./support/ports.ts";

const ALONE = { kiteKey: "", logLevel: "FATAL" } as const;

/** Everything that listens. */
const SERVERS: Record<
  string,
  (port: number) => Promise<{ listen(): Promise<unknown>; close(): Promise<void> }>
> = {
  Kite: (port) => Promise.resolve(new Kite("math", "1.0.0", { ...ALONE, ip: "127.0.0.1", port })),
  Kontrol: (port) =>
    createKontrol({
      storage: new MemoryStorage(),
      kite: { logLevel: "FATAL", ip: "127.0.0.1", port },
    }),
  ReverseProxy: (port) =>
    Promise.resolve(new ReverseProxy({ ip: "127.0.0.1", port, kite: { ...ALONE } })),
  TunnelProxy: (port) =>
    Promise.resolve(new TunnelProxy({ ip: "127.0.0.1", port, kite: { ...ALONE } })),
};

for (const [name, create] of Object.entries(SERVERS)) {
  Deno.test(`${name}.close: during listen, it leaves nothing that listens`, async () => {
    const port = freePort();
    const server = await create(port);
    const listening = server.listen();
    await server.close();
    await listening;
    await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port }));
  });

  Deno.test(`${name}.listen: a second call at the same time is refused`, async () => {
    const server = await create(0);
    const listening = server.listen();
    await assertRejects(() => server.listen(), KiteError, "Cannot listen: ");
    await listening;
    await server.close();
  });

  Deno.test(`${name}.close: a second call waits for the first one`, async () => {
    const server = await create(0);
    await server.listen();
    const order: string[] = [];
    const first = server.close().then(() => order.push("first"));
    await server.close();
    order.push("second");
    await first;
    assertEquals(order, ["first", "second"]);
  });
}

Deno.test("Lifecycle: a failed start does not disturb the stop, nor a stop the next start", async () => {
  const lifecycle = new Lifecycle();
  const log: string[] = [];
  const failing = lifecycle.start(() => Promise.reject(new Error("no")));
  const stopping = lifecycle.stop(() => Promise.resolve(void log.push("stop")));
  await assertRejects(() => failing, Error, "no");
  const again = lifecycle.start(() => Promise.resolve(log.push("start")));
  await Promise.all([stopping, again]);
  assertEquals(log, ["stop", "start"]);
});
