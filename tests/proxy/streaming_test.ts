import { assert, assertEquals } from "@std/assert";
import type { ReverseProxy } from "../../src/proxy/mod.ts";
import { eventually } from "../support/eventually.ts";
import { ourKite } from "../interop/our_kite.ts";
import { startReverseProxy } from "./support.ts";

const read = (name: string) =>
  Deno.readTextFileSync(new URL(`../transport/tls/${name}.pem`, import.meta.url));
const TLS = { ca: read("ca"), cert: read("cert"), key: read("key") };

const PIECE = new Uint8Array(65_536).fill(120);

/** A reverse proxy, with TLS or without. */
function start(isSecure: boolean): Promise<ReverseProxy> {
  const { ca, cert, key } = TLS;
  return startReverseProxy(
    isSecure ? { tls: { cert, key }, publicHost: "localhost", kite: { ca } } : {},
  );
}

/** A server behind a proxy, both with TLS or both without. */
async function behind(
  proxy: ReverseProxy,
  handler: (request: Request) => Response | Promise<Response>,
) {
  const isSecure = proxy.url.startsWith("https:");
  const { ca, cert, key } = TLS;
  const place = { hostname: "127.0.0.1", port: 0, onListen() {} };
  const server = isSecure
    ? Deno.serve({ ...place, cert, key }, handler)
    : Deno.serve(place, handler);
  const kite = ourKite({ ca });
  const own = `${isSecure ? "https" : "http"}://localhost:${server.addr.port}/kite`;
  const url = await kite.registerToProxy(own, { proxyUrl: proxy.url, kontrol: false });
  return {
    url,
    async [Symbol.asyncDispose]() {
      await kite.close();
      await server.shutdown();
    },
  };
}

/** A body of so many pieces that counts those taken. */
function pieces(count: number): { body: ReadableStream<Uint8Array>; taken: () => number } {
  let taken = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (taken++ >= count) controller.close();
      else controller.enqueue(PIECE.slice());
    },
  }, { highWaterMark: 0 });
  return { body, taken: () => taken };
}

Deno.test("ReverseProxy: a request and its answer stream at the same time", async () => {
  await using proxy = await startReverseProxy();
  await using it = await behind(proxy, (request) => new Response(request.body));
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const response = fetch(`${it.url}/echo`, { method: "POST", body: readable });
  const encoder = new TextEncoder();
  void writer.write(encoder.encode("one"));
  const reader = (await response).body!.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await reader.read()).value, "one");
  void writer.write(encoder.encode("two"));
  assertEquals((await reader.read()).value, "two");
  await writer.close();
  assertEquals((await reader.read()).done, true);
});

for (const isSecure of [false, true]) {
  const what = isSecure ? "over TLS" : "over plain TCP";

  Deno.test(`ReverseProxy: a client that does not read makes the kite wait, ${what}`, async () => {
    await using proxy = await start(isSecure);
    using client = Deno.createHttpClient({ caCerts: [TLS.ca] });
    const source = pieces(2_000);
    await using it = await behind(proxy, () => new Response(source.body));
    const response = await fetch(`${it.url}/download`, { client });
    const taken = await settled(source.taken);
    await response.body!.cancel();
    assert(taken < 1_000, `${taken} pieces were taken before the client read anything`);
    await eventually(() => proxy.load.exchanges === 0);
  });

  Deno.test(`ReverseProxy: a kite that does not read makes the client wait, ${what}`, async () => {
    await using proxy = await start(isSecure);
    using client = Deno.createHttpClient({ caCerts: [TLS.ca] });
    const release = Promise.withResolvers<void>();
    await using it = await behind(proxy, async (request) => {
      await release.promise;
      let bytes = 0;
      for await (const piece of request.body!) bytes += piece.length;
      return new Response(String(bytes));
    });
    const source = pieces(2_000);
    const response = fetch(`${it.url}/upload`, { method: "POST", body: source.body, client });
    const taken = await settled(source.taken);
    release.resolve();
    assertEquals(await (await response).text(), String(2_000 * PIECE.length));
    assert(taken < 1_000, `${taken} pieces were taken before the kite read anything`);
  });
}

Deno.test("ReverseProxy: a kite that dies in the middle of an answer ends it, and a client that leaves ends the request", async () => {
  await using proxy = await startReverseProxy({ limits: { idleTimeout: 600 } });
  const ended = Promise.withResolvers<void>();
  await using it = await behind(proxy, () =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(PIECE.slice()),
        cancel: () => ended.resolve(),
      }),
    ));
  // Nothing more comes: the proxy gives the exchange up.
  const silent = await fetch(`${it.url}/silent`);
  const failure = await silent.arrayBuffer().then(() => undefined, (error: unknown) => error);
  assert(failure instanceof Error);
  await ended.promise;
  await eventually(() => proxy.load.exchanges === 0);
});

Deno.test("ReverseProxy: connections to a kite are kept for the next request", async () => {
  await using proxy = await startReverseProxy();
  const ports = new Set<number>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request, { remoteAddr }) => {
      ports.add(remoteAddr.port);
      return new Response(await request.text());
    },
  );
  const kite = ourKite();
  const url = await kite.registerToProxy(`http://127.0.0.1:${server.addr.port}/kite`, {
    proxyUrl: proxy.url,
    kontrol: false,
  });
  for (let i = 0; i < 20; i++) {
    const response = await fetch(`${url}/echo`, { method: "POST", body: String(i) });
    assertEquals(await response.text(), String(i));
  }
  assert(ports.size < 5, `${ports.size} connections for 20 requests`);
  await kite.close();
  await server.shutdown();
});

/** Waits until a count no longer changes. */
async function settled(count: () => number): Promise<number> {
  let last = -1;
  while (last !== count() || last === 0) {
    last = count();
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  return last;
}
