/**
 * The baseline ("floor"): a minimal program that answers the same frames as a kite, without
 * authentication, checks or batching. Each frame contains one answer.
 *
 * @module
 */
import { preparePeer } from "./peer.ts";

const { port } = preparePeer();

Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onopen = () => socket.send("o");
  socket.onmessage = (event) => {
    for (const text of JSON.parse(event.data)) {
      const message = JSON.parse(text);
      const result = message.arguments[0].withArgs[0] ** 2;
      const answer = JSON.stringify({
        method: Number(Object.keys(message.callbacks)[0]),
        arguments: [{ error: null, result }],
        callbacks: {},
      });
      socket.send("a" + JSON.stringify([answer]));
    }
  };
  return response;
});
