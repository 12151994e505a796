import { assertRejects } from "@std/assert";
import { connectTo } from "../../../src/runtime/forwarding/connect.ts";

Deno.test("connectTo: a name with a private address is not public, with and without TLS", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const { signal } = new AbortController();
  for (const secure of [false, true]) {
    for (const hostname of ["localhost", "127.0.0.1"]) {
      const upstream = { hostname, port, secure, publicOnly: true };
      await assertRejects(() => connectTo(upstream, [], signal), Error, "private");
    }
  }
});
