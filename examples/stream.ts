/**
 * Streams the lines of a log, and continues after a lost connection:
 * `deno run -A examples/stream.ts`.
 */
import { contract, Kite, method, tracked, type } from "../mod.ts";

const logs = contract({
  tail: method({ args: [type<string>()], items: type<string>() }),
  count: method({ args: [type<AsyncIterable<string>>()], result: type<number>() }),
});

const kite = new Kite("logs", "1.0.0", { ip: "127.0.0.1", disableAuthentication: true });
kite.implement(logs, {
  // `lastId` is set when a reader continues after a lost connection.
  async *tail(name, { lastId }) {
    console.log(lastId === undefined ? "tail starts" : `tail continues after line ${lastId}`);
    try {
      for (let n = lastId === undefined ? 1 : Number(lastId) + 1;; n++) {
        yield tracked(`${n}`, `${name}: line ${n}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    } finally {
      console.log("tail ends");
    }
  },
  // A stream in the arguments is read as it arrives.
  async count(lines) {
    let count = 0;
    for await (const _line of lines) count++;
    return count;
  },
});
await using server = await kite.listen();

await using reader = new Kite("reader", "1.0.0");
const remote = reader.newClient(server.url, { reconnect: true });
await remote.dial();
const api = remote.as(logs);

let read = 0;
for await (const line of api.tail("app.log")) {
  console.log(line);
  read++;
  // To the reader, this is a lost connection.
  if (read === 2) { for (const connection of kite.connections) connection.close(); }
  if (read === 4) break; // ends the generator of the kite
}

async function* upload(): AsyncGenerator<string> {
  for (let n = 0; n < 10_000; n++) yield `line ${n}`;
}
console.log(`counted ${await api.count(upload())} lines`);
