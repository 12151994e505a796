import { assertEquals, assertRejects } from "@std/assert";
import { KiteError, webSocketSession } from "../../../mod.ts";
import { callingKite, targetKite } from "../../security/kites.ts";

for (const isOpen of [true, false]) {
  const state = isOpen ? "is open" : "opens later";
  Deno.test(`webSocketSession: a client uses a WebSocket that ${state}, in both directions`, async () => {
    const target = targetKite();
    target.handle("ask", ({ client }) => client.tell("name"));
    await using server = await target.listen();
    await using caller = callingKite();
    caller.handle("name", () => "caller");
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/websocket`);
    if (isOpen) await new Promise((resolve) => socket.onopen = resolve);
    const client = caller.newClient(socket.url, { connect: () => webSocketSession(socket) });
    await client.dial();
    assertEquals(client.transport, "rawWebSocket");
    assertEquals(await client.tell("square", 4), 16);
    assertEquals(await client.tell("ask"), "caller");
    await client.close();
    assertEquals(socket.readyState >= WebSocket.CLOSING, true);
    const again = caller.newClient(socket.url, { connect: () => webSocketSession(socket) });
    const error = await assertRejects(() => again.dial(), KiteError, "the WebSocket is closed");
    assertEquals(error.type, "sendError");
  });
}

Deno.test("webSocketSession: a WebSocket that cannot open is a sendError", async () => {
  await using server = await targetKite().listen();
  await using caller = callingKite();
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/nothing`);
  const client = caller.newClient(socket.url, { connect: () => webSocketSession(socket) });
  const error = await assertRejects(() => client.dial(), KiteError, "Cannot open a WebSocket at");
  assertEquals(error.type, "sendError");
});
