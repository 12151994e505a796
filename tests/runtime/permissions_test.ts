import { assertEquals, assertStringIncludes } from "@std/assert";
import { runDeno } from "./support.ts";

const KITE = new URL("../../src/kite.ts", import.meta.url).href;

Deno.test("Kite: can be created without permissions, and without a prompt", async () => {
  const code = `import { Kite } from "${KITE}";
    const kite = new Kite("math", "1.0.0");
    const { username, kiteKey, kontrolUrls } = kite.config;
    console.log(JSON.stringify([username, kiteKey ?? null, kontrolUrls]));`;
  const { code: exit, stdout, stderr } = await runDeno([], code, { KITE_USERNAME: "devrim" });
  assertEquals([exit, stdout, stderr], [0, '["unknown",null,[]]\n', ""]);
});

Deno.test("Kite.listen: names the missing permission", async () => {
  const code = `import { Kite } from "${KITE}";
    await new Kite("math", "1.0.0").listen().catch((error) => console.log(String(error)));`;
  const { stdout } = await runDeno([], code);
  assertStringIncludes(
    stdout,
    "configError: Cannot listen on port 0 of 0.0.0.0: Deno needs --allow-net",
  );
  assertStringIncludes(stdout, "--allow-net");
});
