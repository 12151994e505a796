import { assert, assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../src/protocol/errors.ts";
import { serve } from "../../src/runtime/serve.ts";
import { lacks, runDeno } from "./support.ts";

const LOCAL = { hostname: "127.0.0.1", port: 0 };

function fail(error: unknown): void {
  throw error;
}

Deno.test("serve: answers requests with the peer's address, and closes", async () => {
  const server = await serve((request, peer) => {
    return new Response(`${new URL(request.url).pathname} ${peer.remoteAddress}`);
  }, { ...LOCAL, onError: fail });
  assertEquals(server.hostname, "127.0.0.1");
  assert(server.port > 0);
  const response = await fetch(`http://127.0.0.1:${server.port}/kite`);
  const [path, address = ""] = (await response.text()).split(" ");
  assertEquals(path, "/kite");
  assert(/^127\.0\.0\.1:\d+$/.test(address), address);
  await server.close();
  await server.finished;
  await server.close();
  await assertRejects(() => fetch(`http://127.0.0.1:${server.port}/kite`));
});

Deno.test("serve: writes an IPv6 address in brackets", async () => {
  const server = await serve((_, peer) => new Response(peer.remoteAddress), {
    hostname: "::1",
    port: 0,
    onError: fail,
  });
  const address = await (await fetch(`http://[::1]:${server.port}/`)).text();
  assert(/^\[::1\]:\d+$/.test(address), address);
  await server.close();
});

Deno.test("serve: reports a handler that throws, and answers 500", async () => {
  const errors: unknown[] = [];
  const thrown = new Error("boom");
  const server = await serve((request) => {
    if (request.url.endsWith("/later")) return Promise.reject(thrown);
    throw thrown;
  }, { ...LOCAL, onError: (error) => void errors.push(error) });
  for (const path of ["/at-once", "/later"]) {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    assertEquals([response.status, await response.text()], [500, "Internal Server Error\n"]);
  }
  assertEquals(errors, [thrown, thrown]);
  await server.close();
});

Deno.test("RunningServer.close: waits for running requests", async () => {
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const server = await serve(async () => {
    started.resolve();
    await release.promise;
    return new Response("done");
  }, { ...LOCAL, onError: fail });
  const asked = fetch(`http://127.0.0.1:${server.port}/`);
  await started.promise;
  const closed = server.close();
  release.resolve();
  assertEquals(await (await asked).text(), "done");
  await closed;
});

Deno.test("RunningServer.close: waits at most for the deadline", async () => {
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<Response>();
  const server = await serve(() => {
    started.resolve();
    return release.promise;
  }, { ...LOCAL, onError: fail });
  const refused = assertRejects(() => fetch(`http://127.0.0.1:${server.port}/`), TypeError);
  await started.promise;
  const before = performance.now();
  await server.close(50);
  await server.finished;
  await server.abort();
  assert(performance.now() - before < 2_000);
  await assertRejects(() => fetch(`http://127.0.0.1:${server.port}/`));
  release.resolve(new Response("too late"));
  await refused;
});

Deno.test("RunningServer.abort: cancels running requests", async () => {
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<Response>();
  const server = await serve(() => {
    started.resolve();
    return release.promise;
  }, { ...LOCAL, onError: fail });
  const refused = assertRejects(() => fetch(`http://127.0.0.1:${server.port}/`));
  await started.promise;
  await server.abort();
  await refused;
  await server.abort();
  await server.close();
  release.resolve(new Response("too late"));
});

Deno.test("serve: names a port in use and an invalid certificate", async () => {
  const first = await serve(() => new Response(), { ...LOCAL, onError: fail });
  const options = { ...LOCAL, onError: fail };
  const inUse = await assertRejects(
    () => serve(() => new Response(), { ...options, port: first.port }),
    KiteError,
    `Cannot listen on port ${first.port} of 127.0.0.1: it is in use`,
  );
  assertEquals(inUse.type, "configError");
  await assertRejects(
    () => serve(() => new Response(), { ...options, tls: { cert: "secret", key: "secret" } }),
    KiteError,
    "Cannot listen on port 0 of 127.0.0.1: the certificate or its private key is not valid",
  );
  await first.close();
});

Deno.test("serve: uses TLS with the given certificate", { ignore: lacks("openssl") }, async () => {
  const directory = await Deno.makeTempDir();
  try {
    const { success } = await new Deno.Command("openssl", {
      args: "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=kite"
        .split(" ").concat(
          [
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
          ],
          ["-keyout", `${directory}/key.pem`, "-out", `${directory}/cert.pem`],
        ),
      stderr: "null",
    }).output();
    assert(success);
    const cert = await Deno.readTextFile(`${directory}/cert.pem`);
    const tls = { cert, key: await Deno.readTextFile(`${directory}/key.pem`) };
    const server = await serve((request) => new Response(new URL(request.url).protocol), {
      ...LOCAL,
      tls,
      onError: fail,
    });
    using client = Deno.createHttpClient({ caCerts: [cert] });
    const response = await fetch(`https://127.0.0.1:${server.port}/`, { client });
    assertEquals(await response.text(), "https:");
    await server.close();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("serve: reports an address that cannot be used, and prints nothing", async () => {
  const url = new URL("../../src/runtime/serve.ts", import.meta.url).href;
  const code = (hostname: string) =>
    `import { serve } from "${url}";
    try {
      const server = await serve(() => new Response(), {
        hostname: "${hostname}", port: 0, onError: () => {},
      });
      await server.close();
    } catch (error) { console.log(String(error)); }`;
  const refused = await runDeno([], code("127.0.0.1"));
  assertEquals(
    refused.stdout,
    "configError: Cannot listen on port 0 of 127.0.0.1: Deno needs --allow-net for it\n",
  );
  const elsewhere = await runDeno(["--allow-net"], code("203.0.113.1"));
  assertEquals(
    elsewhere.stdout,
    "configError: Cannot listen on port 0 of 203.0.113.1: this machine has no such address; " +
      "0.0.0.0 stands for all of its addresses\n",
  );
  const allowed = await runDeno(["--allow-net=127.0.0.1"], code("127.0.0.1"));
  assertEquals(allowed, { code: 0, stdout: "", stderr: "" });
});
