import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { ourKite } from "../interop/our_kite.ts";
import { dialled, exchange, startReverseProxy } from "./support.ts";

Deno.test("ReverseProxy.close: its deadline is for all that runs, in the proxy and in the kites", async () => {
  await using proxy = await startReverseProxy();
  proxy.kite.handle("hang", () => new Promise(() => {}));
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using kite = ourKite();
  const url = `http://127.0.0.1:${listener.addr.port}/kite`;
  await kite.registerToProxy(url, { proxyUrl: proxy.url, kontrol: false });
  await using client = await dialled(proxy.url, { reconnect: false });
  const failed = client.tell("hang").then(() => false, () => true);
  const request = `GET /proxy/${kite.id}/info HTTP/1.1\r\nHost: a\r\n\r\n`;
  const answer = exchange(proxy.port, request);
  await eventually(() => proxy.load.exchanges === 1);
  const before = performance.now();
  await proxy.close({ deadline: 1_500 });
  const time = performance.now() - before;
  assert(time > 1_400 && time < 2_500, `it took ${Math.round(time)} ms`);
  assertEquals([await failed, await answer], [true, ""]);
});
