// kite.js's client of a Kontrol. The commands are its own methods, each with one argument:
//   fetchKite, fetchKites, watchKites, cancelWatcher, register
// and, for the kites that came, by the number that each is reported with:
//   call (number, method, ...arguments), token (number)
// A change that a watch hears of is the event "change", a new token the event "tokenSet".

import { createRequire } from "node:module";
import { say } from "./methods.mjs";

const { Kontrol, Kite } = createRequire(import.meta.url)("kite.js");

/** Connects to a Kontrol, and gives what does a command. */
export function kontrol({ url, kitekey, username, logLevel }) {
  const client = new Kontrol({
    url,
    logLevel,
    username,
    environment: "testing",
    name: "kitejspeer",
    version: "1.0.0",
    region: "local",
    hostname: "host",
    auth: { type: "kiteKey", key: kitekey },
    transportClass: Kite.transport.SockJS,
    transportOptions: { transports: ["websocket"] },
  });
  const kites = [];

  client.on("error", (message) => say({ event: "error", message: String(message) }));
  let isReady = false;
  client.on("open", () => {
    if (!isReady) say({ event: "ready", url, args: [client.kite.getKiteInfo()] });
    isReady = true;
    say({ event: "connect" });
  });

  /** What a kite that came looks like, for a test; it is kept under its number. */
  function described(kite) {
    const number = kites.push(kite) - 1;
    kite.on("tokenSet", (token) => say({ event: "tokenSet", args: [number, token] }));
    const { id: _own, ...fields } = kite.getKiteInfo();
    return { number, kite: fields, url: kite.options.url, token: kite.getToken() };
  }

  const commands = {
    fetchKite: async (query) => described(await client.fetchKite(query)),
    fetchKites: async (query) => (await client.fetchKites(query)).map(described),
    watchKites: async (query) => {
      const { changes, watcherID } = await client.watchKites(query);
      for (const name of ["register", "deregister"]) {
        changes.on(name, (kite) => say({ event: "change", args: [name, described(kite)] }));
      }
      changes.on("error", (error) => say({ event: "error", message: String(error.message) }));
      return watcherID;
    },
    cancelWatcher: (id) => client.cancelWatcher(id),
    register: (argument) => client.register(argument),
    token: (number) => kites[number].getToken(),
    call: (number, method, ...args) => {
      kites[number].connect();
      // A kite that came from Kontrol takes a callback where other kites of kite.js give a promise.
      return new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error(`${method} was not answered`)), 10_000).unref();
        kites[number].tell(
          method,
          args,
          (error, result) => error ? reject(error) : resolve(result),
        );
      });
    },
  };

  return ({ id, method, args }) => {
    const command = commands[method];
    Promise.resolve().then(() => command(...args)).then(
      (result) => say({ id, result: result ?? null }),
      ({ type, message, code, name }) =>
        say({ id, error: { type: type ?? name, message, code: code ?? "" } }),
    );
  };
}
