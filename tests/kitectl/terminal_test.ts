// The tool on a real pseudo-terminal.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createInvite } from "../../kontrol/invites.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import { startTestKontrol } from "../../src/testing/kontrol.ts";
import { kiteArchive } from "./archives.ts";
import { Machine, onTerminal } from "./support.ts";

const ignore = Deno.build.os !== "linux";
const ESCAPE = "\x1b";
const [BOLD, RED, PLAIN] = [1, 31, 0].map((code) => `${ESCAPE}[${code}m`);

Deno.test({
  name: "kitectl register: asks on the terminal, and shows no invite code",
  ignore,
  fn: async () => {
    const storage = new MemoryStorage();
    await using kontrol = await startTestKontrol({ storage, register: "token" });
    await using machine = await Machine.make();
    const { code: invite } = await createInvite(storage.invites);
    const { code, shown } = await onTerminal(
      machine,
      ["register", "--to", kontrol.url, "--invite"],
      [["Username: ", "ada\r"], ["Invite code: ", `${invite}\r`]],
    );
    assertEquals(code, 0, shown);
    assertStringIncludes(shown, "Registered as ada");
    assert(!shown.includes(invite.slice(0, 8)), shown);
  },
});

Deno.test({
  name: "kitectl register: shows no password that Kontrol asks for",
  ignore,
  fn: async () => {
    await using kontrol = await startTestKontrol({
      machineAuthenticate: async ({ request }) => {
        const password = await request.client.tell("kite.getPass", "Password: ");
        if (password !== "sesame") throw new Error("wrong password");
      },
    });
    await using machine = await Machine.make();
    const { code, shown } = await onTerminal(
      machine,
      ["register", "--to", kontrol.url, "--username", "ada"],
      [["Password: ", "sesame\r"]],
    );
    assertEquals(code, 0, shown);
    assert(!shown.includes("sesame"), shown);
  },
});

Deno.test({
  name: "kitectl: Ctrl-C ends a question, a hidden question, and a call, with code 130",
  ignore,
  fn: async () => {
    await using kontrol = await startTestKontrol({ register: "open" });
    await using machine = await Machine.make();
    await machine.writeKey(await kontrol.kiteKey("ada"));
    const kite = await kontrol.newKite("math", "1.0.0");
    const started = Promise.withResolvers<void>();
    kite.handle("hang", ({ args, signal }) => {
      args.one().function()("started");
      started.resolve();
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve(0)));
    });
    await kite.register((await kite.listen()).url);
    const register = ["register", "--force", "--to", kontrol.url];
    const runs: [string[], string][] = [
      [register, "Username: "],
      [[...register, "--username", "ada", "--invite"], "Invite code: "],
      [["tell", "--name", "math", "--timeout", "1h", "hang", "@callback"], '["started"]'],
    ];
    for (const [words, question] of runs) {
      const { code, shown } = await onTerminal(machine, words, [[question, "\x03"]]);
      assertEquals(code, 130, shown);
    }
    await started.promise;
  },
});

Deno.test({
  name: "kitectl: writes colors only on a terminal without NO_COLOR, and progress after a second",
  ignore,
  fn: async () => {
    await using kontrol = await startTestKontrol();
    await using machine = await Machine.make();
    await machine.writeKey(await kontrol.kiteKey("ada"));
    const kite = await kontrol.newKite("math", "1.0.0");
    let isWaitedFor = (): void => {};
    kite.handle("slow", async () => {
      await new Promise<void>((resolve) => isWaitedFor = resolve);
      return { a: 1 };
    });
    await kite.register((await kite.listen()).url);
    const query = ["query", "--name", "math"];
    const colored = await onTerminal(machine, query, [], { NO_COLOR: "" });
    assertStringIncludes(colored.shown, `${BOLD}username`);
    for (const env of [{ NO_COLOR: "1" }, { NO_COLOR: "", TERM: "dumb" }]) {
      const { shown } = await onTerminal(machine, query, [], env);
      assert(!shown.includes(ESCAPE), JSON.stringify(shown));
    }
    const piped = await machine.run(query, { env: { NO_COLOR: "" } });
    assert(!piped.stdout.includes(ESCAPE));
    const wrong = await onTerminal(machine, ["tel"], [], { NO_COLOR: "" });
    assertStringIncludes(wrong.shown, `${RED}error${PLAIN}: unknown command 'tel'`);
    assertEquals(wrong.code, 2);

    const waiting = setInterval(() => isWaitedFor(), 4_000);
    const call = await onTerminal(machine, ["tell", "--name", "math", "slow"], []);
    clearInterval(waiting);
    assertEquals(call.code, 0, call.shown);
    assertMatch(call.shown, /Waiting for slow … [1-9]s/);
    const result = call.shown.slice(call.shown.lastIndexOf("\x1b[K") + 3);
    assertEquals(result, '{\r\n  "a": 1\r\n}\r\n', "the result stands alone, and is indented");
  },
});

Deno.test({
  name: "kitectl run: Ctrl-C is the kite's own, which may take its time",
  ignore,
  fn: async () => {
    await using machine = await Machine.make();
    const program = `trap 'echo stopping; sleep 3; exit 9' INT\necho ready\n` +
      "while :; do sleep 0.1; done\n";
    await Deno.writeFile(`${machine.folder}/fs.tgz`, await kiteArchive("fs", "1.0.0", program));
    const installed = await machine.run(["install", "fs.tgz"]);
    assertEquals(installed.code, 0, installed.stderr);
    const { code, shown } = await onTerminal(machine, ["run", "fs"], [["ready", "\x03"]]);
    assertEquals(code, 9, shown);
    assertEquals(shown.split("stopping").length, 2, "once");

    // Without a terminal, the signal is passed on.
    await using process = await machine.start(["run", "fs"], /^ready$/);
    Deno.kill(process.pid, "SIGINT");
    assertEquals(await process.exitCode(), 9);
  },
});
