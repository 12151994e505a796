/**
 * The kite behind the proxies: `--port --ours=URL [--go=URL]`; it registers at each, and serves
 * bodies at /kite/body.
 *
 * @module
 */
import { Kite } from "../../../mod.ts";
import { preparePeer } from "../peer.ts";
import { BODY_BYTES, KITE_ID } from "./setting.ts";

const { options, port } = preparePeer();
const quiet = { kiteKey: "", logLevel: "FATAL", id: KITE_ID } as const;
const kite = new Kite("math", "1.0.0", { ...quiet, ip: "127.0.0.1", port });
kite.disableAuthentication();
kite.handle("square", ({ args }) => args.one().number() ** 2);
kite.handleHttp("/kite/body", async (request) => {
  if (request.method === "GET") return new Response(body());
  let bytes = 0;
  for await (const piece of request.body ?? []) bytes += piece.length;
  return new Response(String(bytes));
});
// A kite keeps one registration; the second proxy gets it from a kite of the same id.
const twin = new Kite("math", "1.0.0", quiet);
for (const [name, registrant] of [["ours", kite], ["go", twin]] as const) {
  const proxyUrl = options.find(name);
  if (proxyUrl === undefined) continue;
  await registrant.registerToProxy(`http://127.0.0.1:${port}/kite`, { proxyUrl, kontrol: false });
}
await kite.listen();

function body(): ReadableStream<Uint8Array> {
  let left = BODY_BYTES;
  return new ReadableStream({
    pull(controller) {
      if (left <= 0) return controller.close();
      const piece = new Uint8Array(Math.min(left, 65_536));
      left -= piece.length;
      controller.enqueue(piece);
    },
  });
}
