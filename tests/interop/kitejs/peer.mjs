// The unmodified npm kite.js behind three sub-commands that a test can drive:
//   serve -port N [-transport raw|SockJS] [-prefix /kite]
//   call -url URL [-transport raw|SockJS|XHRPolling|XHRStreaming] [-token T] [-forever]
//   kontrol -url URL -kitekey K [-username NAME], see kontrol.mjs
// Events and answers are lines of JSON on stdout, commands lines of JSON on stdin.

import { createRequire } from "node:module";
import process from "node:process";
import readline from "node:readline";
import { parseArgs } from "node:util";
import { kontrol } from "./kontrol.mjs";
import { methods, say } from "./methods.mjs";

const { Kite, KiteServer } = createRequire(import.meta.url)("kite.js");
const SILENT = -1;
const SOCKJS_TRANSPORTS = {
  SockJS: ["websocket"],
  XHRPolling: ["xhr-polling"],
  XHRStreaming: ["xhr-streaming"],
};

function onLoopback(Server) {
  return class extends Server {
    constructor(options) {
      super({ ...options, hostname: "127.0.0.1" });
    }
  };
}

function serve({ port, transport, prefix }) {
  let last;
  const server = new KiteServer({
    name: "kitejspeer",
    auth: false,
    logLevel: SILENT,
    prefix,
    transportClass: onLoopback(
      transport === "raw" ? KiteServer.transport.WebSocket : KiteServer.transport.SockJS,
    ),
    api: methods((method, args) => last.kite.tell(method, args)),
  });

  server.listen(Number(port));
  // A handler of kite.js is not told which connection a call came by: the last one, in these tests.
  server.server.on("connection", (session) => {
    last = session;
    say({ event: "connect" });
    session.on("close", () => say({ event: "disconnect" }));
  });
  server.server.server.on("listening", () => {
    const scheme = transport === "raw" ? "ws" : "http";
    say({ event: "ready", url: `${scheme}://127.0.0.1:${port}${prefix}` });
  });
  return performer(() => last.kite);
}

function call({ url, transport, token, forever }) {
  const options = {
    url,
    name: "kitejscaller",
    logLevel: SILENT,
    autoConnect: false,
    autoReconnect: forever,
    backoff: { initialDelayMs: 100, maxDelayMs: 500 },
    transportClass: transport === "raw" ? Kite.transport.WebSocket : Kite.transport.SockJS,
    transportOptions: { transports: SOCKJS_TRANSPORTS[transport] },
    api: methods((method, args) => kite.tell(method, args)),
  };
  if (token) options.auth = { type: "token", key: token };

  const kite = new Kite(options);
  let ready = false;
  kite.on("open", () => {
    if (!ready) say({ event: "ready", url });
    ready = true;
    say({ event: "connect" });
  });
  kite.on("close", () => say({ event: "disconnect" }));
  kite.on(
    "error",
    (message) => say({ event: "error", message: String(message) }),
  );
  kite.connect();

  return performer(() => kite);
}

/** What a command does: calls a method of the other kite, or a function that came from it. */
function performer(target) {
  const received = [];
  return (command) => {
    const args = wire(command.args, received);
    if (command.invoke !== undefined) {
      received[command.invoke](...args);
      say({ id: command.id, result: null });
      return;
    }
    target().tell(command.method, args).timeout(command.timeout || 10_000).then(
      (result) => say({ id: command.id, result: plain(result, received) ?? null }),
      ({ type, message, code, name }) =>
        say({ id: command.id, error: { type: type ?? name, message, code: code ?? "" } }),
    );
  };
}

/** What came over the wire, with `{"@fnref": n}` where a function stands. */
function plain(value, received) {
  if (typeof value === "function") {
    return { "@fnref": received.push(value) - 1 };
  }
  if (Array.isArray(value)) return value.map((one) => plain(one, received));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, plain(one, received)]),
  );
}

/** The arguments of a command, with a reporting function for each `{"@fn": name}`. */
function wire(value, received) {
  if (Array.isArray(value)) return value.map((one) => wire(one, received));
  if (value === null || typeof value !== "object") return value;
  const name = value["@fn"];
  if (typeof name === "string") {
    return (...args) => say({ event: "callback", fn: name, args: plain(args, received) });
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, wire(one, received)]),
  );
}

const { values, positionals: [role] } = parseArgs({
  args: process.argv.slice(2).map((arg) => arg.replace(/^-(?=[a-z]+$)/, "--")),
  allowPositionals: true,
  options: {
    port: { type: "string" },
    url: { type: "string" },
    prefix: { type: "string", default: "" },
    transport: { type: "string", default: "raw" },
    token: { type: "string" },
    kitekey: { type: "string" },
    username: { type: "string" },
    forever: { type: "boolean", default: false },
  },
});

const roles = { serve, call, kontrol };
const perform = roles[role]({ ...values, logLevel: SILENT });
const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  perform(JSON.parse(line));
});
lines.on("close", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));
