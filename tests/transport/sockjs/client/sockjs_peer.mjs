// The npm SockJS server, in Node: echoes under /kite, prints its port, and each session's end.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../../interop/kitejs/package.json", import.meta.url));
const server = createServer();
const websocket = process.argv[2] !== "xhr";
const sockjs = require("sockjs").createServer({ log: () => {}, prefix: "/kite", websocket });
sockjs.on("connection", (connection) => {
  connection.on("data", (message) => {
    if (message === "close") connection.close(4242, "as you wish");
    else connection.write(message);
  });
  connection.on("close", () => process.stdout.write("closed" + "\n"));
});
sockjs.installHandlers(server);
server.listen(0, "127.0.0.1", () => process.stdout.write(`port ${server.address().port}` + "\n"));
