/**
 * One user who sends as many expensive calls as Kontrol's limits allow. Ends with its stdin.
 *
 * `--port --kitekey --inflight --sockets`
 *
 * @module
 */
import { preparePeer } from "../peer.ts";
import { LightSocket, MarkerCounter, textFrame } from "../websocket.ts";
import { callText, identity } from "./messages.ts";
import { queryFor } from "./population.ts";

/** The conditions that fit in the version of a query. */
const CONDITIONS = 58;

/** Bytes that every answer contains once. */
const MARKER = '\\"arguments\\":[{\\"error\\"';

const BUFFER_BYTES = 1_048_576;

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

const marker = new MarkerCounter(MARKER);
let sent = 0;

async function load(path: string, inFlight: number): Promise<void> {
  const socket = await LightSocket.open(port, path, BUFFER_BYTES);
  for (let free = inFlight;;) {
    for (; free > 0; free--) await socket.write(textFrame(call(sent++)));
    free = await socket.count(marker);
  }
}

const sockets = options.number("sockets");
const share = options.number("inflight") / sockets;
const paths = Array.from({ length: sockets }, (_, index) => `/kite/100/worst${index}/websocket`);
await Promise.all(paths.map((path) => load(path, share)));
