import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";
import { eventually } from "../support/eventually.ts";
import { ourKite } from "../interop/our_kite.ts";
import { exchange, startReverseProxy, statusOf } from "./support.ts";

const TLS = {
  certFile: fromFileUrl(new URL("../transport/tls/cert.pem", import.meta.url)),
  keyFile: fromFileUrl(new URL("../transport/tls/key.pem", import.meta.url)),
};
const DESCRIPTORS = 64;

/** A reverse proxy in a process of its own, which may open few files and sockets. */
async function startWithFewDescriptors(options: unknown) {
  const url = new URL("src/proxy/mod.ts", ROOT).href;
  const code = `import { ReverseProxy } from "${url}";
    const proxy = new ReverseProxy(${JSON.stringify(options)});
    await proxy.listen();
    console.log(proxy.port);`;
  // Deno writes its code cache some time after the start, and needs descriptors for that.
  const script =
    `ulimit -n ${DESCRIPTORS}; exec "$0" run --quiet -A --no-code-cache --config "$1" -`;
  const process = new Deno.Command("sh", {
    args: ["-c", script, Deno.execPath(), fromFileUrl(new URL("deno.json", ROOT))],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = process.stderr.text();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  const port = Number(new TextDecoder().decode(value));
  let isStopped = false;
  /** Ends the process; returns what it has written to standard error. */
  const stop = async (): Promise<string> => {
    try {
      if (!isStopped) process.kill("SIGKILL");
    } catch { /* has ended by itself */ }
    isStopped = true;
    await process.status;
    await reader.cancel();
    return await errors;
  };
  return { port, stop, [Symbol.asyncDispose]: async () => void await stop() };
}

for (const isSecure of [false, true]) {
  const what = isSecure ? "over TLS" : "over plain TCP";

  Deno.test(`ReverseProxy: serves again after a burst has used up its file descriptors, ${what}`, async () => {
    await using proxy = await startWithFewDescriptors({
      ip: "127.0.0.1",
      port: 0,
      ...(isSecure ? { tls: TLS, publicHost: "localhost" } : {}),
      kite: { kiteKey: "", disableAuthentication: true },
    });
    assert(proxy.port > 0, `it does not listen: ${proxy.port === 0 ? await proxy.stop() : ""}`);
    const flood = [];
    for (let i = 0; i < 2 * DESCRIPTORS; i++) {
      flood.push(await Deno.connect({ hostname: "127.0.0.1", port: proxy.port }));
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const connection of flood) connection.close();
    const ca = await Deno.readTextFile(new URL("../transport/tls/ca.pem", import.meta.url));
    using client = Deno.createHttpClient(isSecure ? { caCerts: [ca] } : {});
    const url = `${isSecure ? "https" : "http"}://localhost:${proxy.port}/proxy/x/info`;
    await eventually(async () => {
      const signal = AbortSignal.timeout(2_000);
      const response = await fetch(url, { client, signal });
      await response.body?.cancel();
      return response.status === 502;
    }, { withinMs: 20_000, what: "an answer" }).catch(async (cause: unknown) => {
      throw new Error(`The proxy does not answer:\n${await proxy.stop()}`, { cause });
    });
    assertStringIncludes(await proxy.stop(), "Cannot accept connections: ");
  });
}

Deno.test("ReverseProxy: a client that sends nothing is disconnected, also during a TLS handshake", async () => {
  for (const tls of [undefined, TLS]) {
    await using proxy = await startReverseProxy({
      ...(tls === undefined ? {} : { tls }),
      limits: { headersTimeout: 200 },
    });
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
    const before = performance.now();
    assertEquals(await connection.read(new Uint8Array(1_024)).catch(() => null), null);
    assert(performance.now() - before >= 150);
    await eventually(() => proxy.load.connections === 0);
  }
});

Deno.test("ReverseProxy: an idle connection is closed, and a client may leave it open meanwhile", async () => {
  await using proxy = await startReverseProxy();
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
  const request = "OPTIONS /kite/info HTTP/1.1\r\nHost: a\r\n\r\n";
  const buffer = new Uint8Array(4_096);
  for (let i = 0; i < 3; i++) {
    await connection.write(new TextEncoder().encode(request));
    const length = await connection.read(buffer);
    assertStringIncludes(new TextDecoder().decode(buffer.subarray(0, length ?? 0)), "HTTP/1.1 204");
  }
  await proxy.close({ deadline: 0 });
  assertEquals(await connection.read(buffer), null);
});

Deno.test("ReverseProxy: a kite that never finishes its TLS handshake is a 504, and is disconnected", async () => {
  await using proxy = await startReverseProxy({ limits: { connectTimeout: 300 } });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using kite = ourKite();
  const url = `https://127.0.0.1:${listener.addr.port}/kite`;
  await kite.registerToProxy(url, { proxyUrl: proxy.url, kontrol: false });
  const request = `GET /proxy/${kite.id}/info HTTP/1.1\r\nHost: a\r\n\r\n`;
  const [answer, connection] = await Promise.all([
    exchange(proxy.port, request),
    listener.accept(),
  ]);
  assertEquals(statusOf(answer), 504);
  // The beginning of the handshake, and then the end.
  await connection.readable.pipeTo(new WritableStream());
});
