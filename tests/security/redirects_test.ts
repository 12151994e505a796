import { assertEquals, assertRejects } from "@std/assert";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { dialSession } from "../../src/transport/dial_session.ts";
import { startServer } from "../transport/support.ts";

/** A server that keeps what it is asked. */
function keepingServer(answer: (request: Request) => Response | Promise<Response>) {
  const requests: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    requests.push(`${request.method} ${new URL(request.url).pathname}`);
    return answer(request);
  });
  return {
    requests,
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const HEADERS = { authorization: "Bearer secret" };

for (const status of [301, 302, 303, 307, 308]) {
  for (const transport of ["auto", "XHRPolling"] as const) {
    Deno.test(`redirects: dialling follows none (${status}, ${transport})`, async () => {
      await using target = keepingServer(() => new Response("o\n"));
      await using server = keepingServer((request) =>
        request.url.endsWith("/websocket")
          ? new Response(null, { status: 400 })
          : new Response(null, { status, headers: { location: `${target.url}/admin` } })
      );
      await assertRejects(
        () =>
          dialSession(`${server.url}/kite`, {
            transport,
            limits: DEFAULT_LIMITS,
            headers: HEADERS,
          }),
        KiteError,
        "it redirects, which is not followed",
      );
      assertEquals(target.requests, []);
    });
  }
}

Deno.test("redirects: an open session ends instead of following one", async () => {
  await using target = keepingServer(() => new Response(null, { status: 204 }));
  await using real = startServer();
  await using server = keepingServer(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname.endsWith("/xhr_send")) {
      return new Response(null, { status: 307, headers: { location: `${target.url}/admin` } });
    }
    const answer = await real.sockjs.fetch(
      new Request(`${real.url}${pathname.slice(5)}`, { method: "POST" }),
    );
    return new Response(await answer.text(), answer);
  });
  const session = await dialSession(`${server.url}/kite`, {
    transport: "XHRPolling",
    limits: DEFAULT_LIMITS,
    headers: HEADERS,
  });
  const ended = Promise.withResolvers<string>();
  session.attach({ onMessage: () => {}, onClose: ({ reason }) => ended.resolve(reason) });
  session.send("secret");
  const reason = await ended.promise;
  assertEquals(/it redirects, which is not followed$/.test(reason), true, reason);
  assertEquals(target.requests, []);
});
