import { assertEquals } from "@std/assert";
import { DEFAULT_LIMITS } from "../../../../src/protocol/limits.ts";
import { dialSession } from "../../../../src/transport/dial_session.ts";
import { programOf } from "../../../../tools/parts.ts";
import { skipUnless } from "../../../support/parts.ts";
import { TestProcess } from "../../../support/process.ts";
import { eventually } from "../../../support/eventually.ts";
import { Recorder } from "../../support.ts";

const limits = DEFAULT_LIMITS;

for (const [mode, transport] of [["all", "WebSocket"], ["xhr", "XHRPolling"]] as const) {
  Deno.test({
    name: `npm sockjs in Node: auto gives ${transport}, and it carries thousands of messages`,
    ...skipUnless("node"),
    fn: async () => {
      await using peer = await TestProcess.start({
        program: programOf("node")!,
        args: [new URL("sockjs_peer.mjs", import.meta.url).pathname, mode],
        ready: (line) => line.startsWith("port "),
      });
      let port = 0, closed = 0;
      peer.onLine((line) => {
        if (line.startsWith("port ")) port = Number(line.slice(5));
        if (line === "closed") closed++;
      });
      const session = await dialSession(`http://127.0.0.1:${port}/kite?x=1`, { limits });
      assertEquals(session.transport, transport);
      const recorder = new Recorder(session);
      const texts = Array.from({ length: 3_000 }, (_, count) => `${count} ü€\u{1F600}\u2028"\\`);
      for (const [count, text] of texts.entries()) {
        session.send(text);
        if (count % 100 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
      session.send("x".repeat(200_000));
      assertEquals(await recorder.received(3_001), [...texts, "x".repeat(200_000)]);
      session.close();
      assertEquals(await recorder.closed(), { code: 3000, reason: "Go away!" });
      await eventually(() => closed === 1, { withinMs: 10_000 });

      const second = await dialSession(`http://127.0.0.1:${port}/kite`, { limits });
      const end = new Recorder(second);
      second.send("close");
      assertEquals(await end.closed(), { code: 4242, reason: "as you wish" });
    },
  });
}
