// Serves TLS and dials itself; prints one line a transport. Run with `--cert` of the test's authority.
import { DEFAULT_LIMITS } from "../../../src/protocol/limits.ts";
import { dialSession } from "../../../src/transport/dial_session.ts";
import { Recorder, startServer } from "../support.ts";

await using server = startServer({ tls: true });
for (const host of ["localhost", "127.0.0.1"]) {
  for (const transport of ["auto", "XHRPolling", "rawWebSocket"] as const) {
    const url = `https://${host}:${server.port}/kite`;
    const session = await dialSession(url, { transport, limits: DEFAULT_LIMITS });
    const recorder = new Recorder(session);
    const text = "x".repeat(100_000);
    session.send(text);
    const [answer] = await recorder.received(1);
    session.close();
    await recorder.closed();
    // deno-lint-ignore no-console -- the test reads it
    console.log(host, session.transport, answer === text);
  }
}
