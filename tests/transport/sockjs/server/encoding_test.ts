import { assertEquals } from "@std/assert";
import { post, TestServer, TestSocket } from "./support.ts";

const RANGES = [[0, 0x1f], [0x200c, 0x200f], [0x2028, 0x202f], [0x2060, 0x206f], [0xfff0, 0xffff]];

/** Every character that a server must escape, escaped. */
function escapedList(): string {
  let text = "";
  for (const [from = 0, to = 0] of RANGES) {
    for (let unit = from; unit <= to; unit++) text += "\\u" + unit.toString(16).padStart(4, "0");
  }
  return `"${text}"`;
}

Deno.test("encoding: characters on the list of SockJS are escaped, on xhr and on WebSocket", async () => {
  await using server = new TestServer();
  const list = escapedList();
  const unescaped = JSON.stringify(JSON.parse(list)); // only U+0000–001f stay escaped
  const url = server.session();
  await post(url + "/xhr");
  assertEquals((await post(url + "/xhr_send", `[${unescaped}]`)).status, 204);
  const polled = (await post(url + "/xhr")).text;
  const socket = await TestSocket.open(server.session() + "/websocket");
  socket.send(`[${unescaped}]`);
  assertEquals(await socket.next(), "o");
  const framed = await socket.next();
  await socket.close();
  for (const frame of [polled, framed]) {
    for (const unit of JSON.parse(list)) assertEquals(unit !== "\n" && frame.includes(unit), false);
    assertEquals(JSON.parse(frame.slice(1)), [JSON.parse(list)]);
  }
});

Deno.test("encoding: every character survives the round trip, including lone surrogates", async () => {
  await using server = new TestServer();
  let all = "";
  for (let unit = 0; unit < 0x10000; unit++) {
    all += "\\u" + unit.toString(16).padStart(4, "0") +
      (unit >= 0xd800 && unit < 0xe000 ? "-" : "");
  }
  const url = server.session();
  await post(url + "/xhr");
  assertEquals((await post(url + "/xhr_send", `["${all}"]`)).status, 204);
  const { text } = await post(url + "/xhr");
  assertEquals(JSON.parse(text.slice(1)), JSON.parse(`["${all}"]`));
});
