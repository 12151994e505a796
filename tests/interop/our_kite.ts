import { Kite, KiteError, type KiteOptions } from "../../mod.ts";

type Callback = (...args: unknown[]) => unknown;

/**
 * A kite of ours with the methods that every peer of these tests has. It reads no settings of the
 * machine that it runs on.
 */
export function ourKite(options: KiteOptions = {}, name = "target", version = "1.0.0"): Kite {
  const kite = new Kite(name, version, {
    ip: "127.0.0.1",
    port: 0,
    kiteKey: "",
    logLevel: "FATAL",
    disableAuthentication: true,
    ...options,
  });

  kite.handle("square", ({ args }) => args.one().number() ** 2);
  kite.handle("cube", ({ args }) => args.one().number() ** 3);
  kite.handle("echo", ({ args }) => args.values);
  kite.handle("log", () => null);
  kite.handle("fail", () => {
    throw new Error("boom");
  });
  kite.handle("failTyped", () => {
    throw new KiteError("teapotError", "short and stout", { code: "418" });
  });
  kite.handle("panic", () => {
    throw "out of cheese";
  });
  kite.handle("slow", async ({ args }) => {
    const ms = args.one().number();
    await new Promise((resolve) => setTimeout(resolve, ms));
    return ms;
  });
  kite.handle("callback", ({ args }) => {
    args.at(1).function()(args.at(0).value);
    return "called";
  });
  kite.handle("countdown", ({ args }) => {
    const tick = args.at(1).function();
    for (let n = args.at(0).number(); n > 0; n--) tick(n);
    return "liftoff";
  });
  kite.handle("fnResult", () => ({ f: (x: number, reply: Callback) => reply(x + 1) }));
  kite.handle("nested", ({ args }) => {
    args.one().function()((x: number, reply: Callback) => reply(x * 10));
    return "nested";
  });
  kite.handle("reverse", ({ args, client }) => {
    const [method, ...rest] = args.values;
    return client.tell(String(method), ...rest);
  });
  kite.handle("whoami", ({ username, authentication, kite }) => ({
    username,
    authType: authentication?.type ?? "",
    kite,
  }));
  return kite;
}
