/**
 * A kite that serves a web page, calls the page's methods and is called by it. Run it with
 * `deno task example:browser`, and open the URL that it prints.
 *
 * @module
 */

import { Kite } from "@kite/kite";

const ROOT = new URL("../../", import.meta.url);

/** Bundles the entry point for pages. In a project of your own, your bundler does it. */
async function bundleClient(): Promise<Uint8Array<ArrayBuffer>> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform=browser", "--minify", "client.ts"],
    cwd: ROOT,
    stdin: "null",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new Uint8Array(stdout);
}

const html = await Deno.readTextFile(new URL("index.html", import.meta.url));
const script = await bundleClient();

const math = new Kite("math", "1.0.0", { ip: "127.0.0.1", kiteKey: "" });
math.handle("square", async ({ args, client }) => {
  const number = args.one().number();
  await client.tell("log", `${number} squared is ${number ** 2}`);
  return number ** 2;
}).disableAuthentication();
math.handle("hello", async ({ client }) => {
  await client.tell("log", "Hello, page!");
}).disableAuthentication();

// The page has the origin of the kite, so it may call methods without authentication.
math.handleHttp("/", () => new Response(html, { headers: { "content-type": "text/html" } }));
math.handleHttp(
  "/client.js",
  () => new Response(script, { headers: { "content-type": "text/javascript" } }),
);
math.onListen(({ url }) => console.log(`Open ${new URL("/", url)} in a browser. Ctrl-C ends it.`));
await math.run();
