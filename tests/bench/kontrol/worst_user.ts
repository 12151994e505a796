/**
 * One user who sends as many expensive calls as Kontrol's limits allow. Ends with its stdin.
 *
 * `--port --kitekey --inflight`
 *
 * @module
 */
import WebSocket from "ws";
import { preparePeer } from "../peer.ts";
import { socketUrl } from "./light.ts";
import { callText, identity } from "./messages.ts";
import { queryFor } from "./population.ts";

/** The conditions that fit in the version of a query. */
const CONDITIONS = 58;

/** Bytes that every answer contains once. */
const MARKER = '\\"arguments\\":[{\\"error\\"';

const { options, port } = preparePeer();
const kite = identity(crypto.randomUUID(), "load");
const kiteKey = Deno.readTextFileSync(options.text("kitekey"));

/** The call of a number: every other one has many results, the rest hold many conditions. */
function call(number: number): string {
  if (number % 8 === 0) {
    return callText("getKites", { query: queryFor(1_000) }, number, kite, kiteKey);
  }
  const version = `>=0.0.${number % 997}${",>=0".repeat(CONDITIONS)},>${number % 2 === 0 ? 9 : 0}`;
  return callText("getKites", { query: { version: version.slice(0, 256) } }, number, kite, kiteKey);
}

const socket = new WebSocket(socketUrl(port, "worst"), {
  perMessageDeflate: false,
  skipUTF8Validation: true,
  maxPayload: 64 << 20,
});
let sent = 0;
socket.on("message", (data: Uint8Array) => {
  const bytes = data as Uint8Array & { indexOf(text: string, from: number): number };
  let count = data[0] === 0x6f ? options.number("inflight") : 0;
  for (let at = 0; (at = bytes.indexOf(MARKER, at)) !== -1; at += MARKER.length) count++;
  for (let index = 0; index < count; index++) socket.send(call(sent++));
});
socket.on("error", (error: Error) => {
  throw error;
});
socket.on("close", () => Deno.exit(0));
