/**
 * One user who sends as many expensive calls as Kontrol's limits allow. Ends with its stdin.
 *
 * `--port --kitekey --inflight`
 *
 * @module
 */
import { preparePeer } from "../peer.ts";
import { callText, identity } from "./messages.ts";
import { queryFor } from "./population.ts";
import { AnswerCounter, RawSocket } from "./raw_socket.ts";

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

const socket = await RawSocket.open(port, "worst");
const counter = new AnswerCounter(MARKER);
let sent = 0;
function send(count: number): void {
  if (count > 0) socket.send(Array.from({ length: count }, () => call(sent++)));
}
send(options.number("inflight"));
await socket.read((bytes) => send(counter.count(bytes)));
