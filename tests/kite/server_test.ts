import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { Kite, KiteError } from "../../mod.ts";
import { freePort } from "../support/ports.ts";

const LOOPBACK = { ip: "127.0.0.1", logLevel: "ERROR" } as const;

function mathKite(options: ConstructorParameters<typeof Kite>[2] = {}): Kite {
  const math = new Kite("math", "1.0.0", { ...LOOPBACK, ...options });
  math.handle("square", ({ args }) => args.one().number() ** 2).disableAuthentication();
  return math;
}

async function square(url: string, number: number): Promise<unknown> {
  await using client = new Kite("exp2", "1.0.0", LOOPBACK).newClient(url);
  await client.dial();
  return await client.tell("square", number);
}

Deno.test("listen: the kite serves at its URL and reports listening and closing", async () => {
  const math = mathKite();
  const told: string[] = [];
  math.onListen((server) => told.push(server.url));
  math.onClose(() => told.push("closed"));
  const server = await math.listen();
  assertEquals(server.url, `http://127.0.0.1:${server.port}/kite`);
  assertEquals(await square(server.url, 4), 16);
  await server.close();
  await server.finished;
  assertEquals(told, [server.url, "closed"]);
  await assertRejects(() => square(server.url, 4), KiteError, "Cannot reach");
});

Deno.test("a closed kite listens again", async () => {
  const math = mathKite();
  await (await math.listen()).close();
  await using server = await math.listen();
  assertEquals(await square(server.url, 5), 25);
});

Deno.test("listen: a port in use and a second call each give one clear error", async () => {
  const port = freePort();
  await using first = await mathKite({ port }).listen();
  await assertRejects(
    () => mathKite({ port }).listen(),
    KiteError,
    `Cannot listen on port ${port} of 127.0.0.1: it is in use`,
  );
  const twice = mathKite();
  await using server = await twice.listen();
  await assertRejects(() => twice.listen(), KiteError, `listens already, at ${server.url}`);
  assertEquals(await square(first.url, 2), 4);
});

Deno.test("handleHttp: serves further paths", async () => {
  const math = mathKite().handleHttp(
    "/files/:name",
    (request) => new Response(`you asked for ${new URL(request.url).pathname}`),
  );
  await using server = await math.listen();
  math.handleHttp("/late", () => new Response("added while listening"));
  math.handleHttp("/static/*", (request) => new Response(new URL(request.url).pathname));
  const base = `http://127.0.0.1:${server.port}`;
  const text = async (path: string): Promise<string> => await (await fetch(base + path)).text();
  assertEquals(await text("/files/a"), "you asked for /files/a");
  assertEquals(await text("/late"), "added while listening");
  assertEquals(await text("/static/a/b?c=d"), "/static/a/b");
  assertEquals(await text("/files/a/b"), await text("/nowhere"));
  assertEquals(await text("/kite"), "Welcome to SockJS!\n");
  const missing = await fetch(`${base}/files`);
  assertEquals([missing.status, await missing.text()].length, 2);
  assertEquals(missing.status, 404);
});

Deno.test("handleHttp: a handler that throws is answered with 500", async () => {
  const math = mathKite({ logLevel: "FATAL" }).handleHttp("/broken", () => {
    throw new Error("broken");
  });
  await using server = await math.listen();
  const answer = await fetch(`http://127.0.0.1:${server.port}/broken`);
  assertEquals(answer.status, 500);
  assertEquals((await answer.text()).includes("broken"), false);
});

Deno.test("Kite.fetch: serves a kite within another server", async () => {
  await using math = mathKite();
  const foreign = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) =>
      new URL(request.url).pathname.startsWith("/kite")
        ? math.fetch(request)
        : new Response("foreign"),
  );
  const { port } = foreign.addr;
  assertEquals(await square(`http://127.0.0.1:${port}/kite`, 6), 36);
  assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "foreign");
  await math.close();
  const closed = await fetch(`http://127.0.0.1:${port}/kite`);
  assertEquals([closed.status, await closed.text()], [503, "the kite is closed\n"]);
  await foreign.shutdown();
});

Deno.test("registerUrl: returns a URL that others can dial", async () => {
  const everywhere = mathKite({ ip: "0.0.0.0" });
  await using server = await everywhere.listen();
  const url = new URL(everywhere.registerUrl());
  assertEquals([url.port, url.pathname], [String(server.port), "/kite"]);
  assertEquals(url.hostname === "0.0.0.0", false);
  assertEquals(
    everywhere.registerUrl("kites.example.com"),
    `http://kites.example.com:${server.port}/kite`,
  );
  await using local = await mathKite().listen();
  assertEquals(await square(local.registerUrl(), 3), 9);
  let reason = "";
  try {
    mathKite().registerUrl();
  } catch (error) {
    reason = String(error);
  }
  assertEquals(reason, "configError: Cannot make a URL to register: the kite does not listen");
});

Deno.test("registerUrl: accepts a host with or without a port, and refuses anything else", async () => {
  await using server = await mathKite({ ip: "0.0.0.0" }).listen();
  const { port } = server;
  const accepted: [string, string][] = [
    ["kites.example.com", `http://kites.example.com:${port}/kite`],
    ["kites.example.com:8443", "http://kites.example.com:8443/kite"],
    ["kites.example.com:80", "http://kites.example.com/kite"],
    ["203.0.113.7", `http://203.0.113.7:${port}/kite`],
    ["203.0.113.7:9000", "http://203.0.113.7:9000/kite"],
    ["2001:db8::1", `http://[2001:db8::1]:${port}/kite`],
    ["[2001:db8::1]", `http://[2001:db8::1]:${port}/kite`],
    ["[2001:db8::1]:9000", "http://[2001:db8::1]:9000/kite"],
    ["::1", `http://[::1]:${port}/kite`],
    ["my_host", `http://my_host:${port}/kite`],
  ];
  for (const [host, url] of accepted) assertEquals(server.registerUrl(host), url, host);
  const refused = [
    "",
    " ",
    "my host",
    "host/path",
    "host?query",
    "host#hash",
    "user@host",
    "http://host",
    "host:",
    "host:port",
    "host:70000",
    "host:1:2",
    "[::1",
    "[host]",
    "1.2.3.4.5",
    5,
  ];
  for (const host of refused) {
    const error = assertThrows(() => server.registerUrl(host as string), KiteError) as KiteError;
    assertEquals(error.type, "argumentError", String(host));
    assertEquals(
      error.message.endsWith("must be a name or an address, with or without a port"),
      true,
    );
  }
});

Deno.test("sockjs.prefix: is part of the kite's URLs", async () => {
  await using server = await mathKite({ sockjs: { prefix: "/kites/math" } }).listen();
  assertEquals(server.url, `http://127.0.0.1:${server.port}/kites/math`);
  assertEquals(server.registerUrl("h:80"), "http://h/kites/math");
  assertEquals(await square(server.url, 5), 25);
});

Deno.test("dialling a URL without a kite fails with a hint about the path, over every transport", async () => {
  await using server = await mathKite().listen();
  const origin = `http://127.0.0.1:${server.port}`;
  for (const transport of ["auto", "WebSocket", "XHRPolling"] as const) {
    for (const path of ["", "/", "/kit", "/kite/kite/", "/?token=secret"]) {
      await using client = new Kite("exp2", "1.0.0", LOOPBACK)
        .newClient(origin + path, { transport, handshakeTimeout: 600_000 });
      const error = await assertRejects(
        () => client.dial(),
        KiteError,
        "the server answered with HTTP status 404",
      ) as KiteError;
      assertEquals(error.type, "sendError");
      assertEquals(
        error.message.startsWith(`Cannot find a kite at ${origin}/`),
        true,
        error.message,
      );
      const hints = error.message.includes(`usually /kite, as in ${origin}/kite`);
      assertEquals(hints, path !== "/kite/kite/", path);
      assertEquals(error.message.includes("secret"), false);
    }
  }
});

Deno.test("remoteAddress has one format, over every transport and from both sides", async () => {
  const kite = mathKite({ ip: "::1" });
  await using server = await kite.listen();
  const ours: string[] = [];
  kite.onConnect(({ remoteAddress }) => ours.push(remoteAddress));
  for (const transport of ["WebSocket", "XHRPolling", "rawWebSocket"] as const) {
    await using client = new Kite("exp2", "1.0.0", LOOPBACK).newClient(server.url, { transport });
    await client.dial();
    assertEquals(client.remoteAddress, `[::1]:${server.port}`);
  }
  assertEquals(ours.length, 3);
  for (const address of ours) assertMatch(address, /^\[::1\]:\d+$/);
});

Deno.test("onConnect, onFirstRequest, onDisconnect: are called; a listener that throws has no effect on others", async () => {
  const math = mathKite({ logLevel: "FATAL" });
  const told: string[] = [];
  math.onConnect(() => {
    throw new Error("a bad listener");
  });
  math.onConnect(() => void told.push("connect"));
  math.onFirstRequest(({ method }) => void told.push(`first ${method}`));
  const gone = Promise.withResolvers<void>();
  math.onDisconnect(() => gone.resolve());
  await using server = await math.listen();
  const client = new Kite("exp2", "1.0.0", LOOPBACK).newClient(server.url);
  await client.dial();
  await client.tell("square", 1);
  await client.tell("square", 2);
  client.close();
  await gone.promise;
  assertEquals(told, ["connect", "first square"]);
});

Deno.test("an invalid name, version or option is refused, and the error names it", () => {
  const cases: [() => Kite, string][] = [
    [() => new Kite("", "1.0.0"), "Cannot use name"],
    [() => new Kite("a/b", "1.0.0"), "name"],
    [() => new Kite("math", "1.0"), "version"],
    [() => new Kite("math", "1.0.0", { port: 70_000 }), "port"],
    [() => new Kite("math", "1.0.0", { id: "7" }), "id"],
    // @ts-expect-error a name that does not exist
    [() => new Kite("math", "1.0.0", { prot: 3636 }), "port"],
  ];
  for (const [make, part] of cases) {
    let error: unknown;
    try {
      make();
    } catch (thrown) {
      error = thrown;
    }
    assertEquals(error instanceof KiteError && error.type, "configError");
    assertEquals(String(error).includes(part), true, String(error));
  }
});
