import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { KiteError } from "../../src/protocol/errors.ts";
import { type InputStream, readLine } from "../../src/runtime/line_reader.ts";
import { EventEmitter } from "node:events";
import { lacks, runDeno, runNode } from "./support.ts";

const TERMINAL = new URL("../../src/runtime/terminal.ts", import.meta.url).href;

Deno.test("print: writes only the text, and returns the number of bytes", async () => {
  const code = `import { print } from "${TERMINAL}";
    const counts = [await print("kış\\n"), await print("a\\x1b[2J\\tb\\rc\\n"), await print("")];
    console.error(counts.join());`;
  assertEquals(await runDeno([], code), {
    code: 0,
    stdout: "kış\na\ufffd[2J\tb\ufffdc\n",
    stderr: "6,14,0\n",
  });
});

Deno.test("prompt: reads one line and leaves the rest for the next question", async () => {
  const code = `import { getPass, prompt } from "${TERMINAL}";
    const answers = [await prompt("1? "), await prompt("2? "), await getPass("3? ")];
    answers.push(await prompt("4? "), String(await prompt("5? ").catch((error) => error)));
    console.error(JSON.stringify(answers));`;
  const { stdout, stderr } = await runDeno([], code, {}, "first line\r\nikinci şık\n\nlast");
  assertEquals(stdout, "1? 2? 3? 4? 5? ");
  assertEquals(JSON.parse(stderr), [
    "first line",
    "ikinci şık",
    "",
    "last",
    "Cannot read a line: standard input has ended",
  ]);
});

Deno.test("prompt: works in Node as well", { ignore: lacks("node") }, async () => {
  const code = `const [{ prompt, print }] = modules;
    const answers = [await prompt("1? "), await prompt("2? "), await print("end")];
    console.error(JSON.stringify(answers));`;
  const { stdout, stderr } = await runNode([TERMINAL], code, {}, "one\ntwo\n");
  assertEquals([stdout, JSON.parse(stderr)], ["1? 2? end", ["one", "two", 3]]);
});

Deno.test({
  name: "prompt: ends by timeout or signal, and does not keep the process alive",
  ignore: Deno.build.os !== "linux" || lacks("script"),
  async fn() {
    const code = `import { prompt } from "${TERMINAL}";
      const answers = [await prompt("1? ", { timeout: 20 }).catch(String)];
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error("gone")), 20);
      const { signal } = controller;
      const asked = prompt("2? ", { signal }).catch(String);
      answers.push(await prompt("3? ").catch(String), await asked);
      answers.push(await prompt("4? ", { signal }).catch(String));
      console.log(JSON.stringify(answers));`;
    const shown = await onTerminal(code, []);
    assertEquals(
      shown.slice(shown.indexOf("[")).trim(),
      JSON.stringify([
        "timeout: Cannot read a line: no answer within 20 ms",
        "Cannot read a line: another question is waiting for an answer",
        "Error: gone",
        "Error: gone",
      ]),
    );
  },
});

/** A keyboard whose keys arrive as they are pressed. */
class Keyboard extends EventEmitter implements InputStream {
  readonly isTTY = true;
  readonly modes: boolean[] = [];
  #typed: Uint8Array[] = [];

  setRawMode(isRaw: boolean): void {
    this.modes.push(isRaw);
  }

  read(): Uint8Array | null {
    return this.#typed.shift() ?? null;
  }

  unshift(rest: Uint8Array): void {
    this.#typed.unshift(rest);
  }

  pause(): void {}

  type(keys: string): void {
    this.#typed.push(new TextEncoder().encode(keys));
    this.emit("readable");
  }
}

function readHidden(keyboard: Keyboard): Promise<string> {
  return readLine(keyboard, { isHidden: true, signal: new AbortController().signal });
}

Deno.test("readLine: handles the editing keys of a hidden line", async () => {
  const expected: [string, string][] = [
    ["secret\r", "secret"],
    ["secret\n", "secret"],
    ["secrex\x7ft\r", "secret"],
    ["şık\b\b\x7f\x7fok\r", "ok"],
    ["wrong\x15right\r", "right"],
    ["a\x04b\r", "ab"],
  ];
  for (const [keys, line] of expected) {
    const keyboard = new Keyboard();
    const asked = readHidden(keyboard);
    for (const key of keys) keyboard.type(key);
    assertEquals(await asked, line);
    assertEquals(keyboard.modes, [true, false]);
    assertEquals(keyboard.listenerCount("readable"), 0);
  }
});

Deno.test("readLine: a hidden line can be cancelled, and has a maximum length", async () => {
  for (
    const [keys, type] of [["ab\x03", "aborted"], ["\x04", "aborted"], [
      "x".repeat(65_537),
      "limitError",
    ]]
  ) {
    const keyboard = new Keyboard();
    const asked = readHidden(keyboard);
    keyboard.type(keys!);
    const error = await assertRejects(() => asked, KiteError);
    assertEquals([error.type, keyboard.modes], [type!, [true, false]]);
  }
});

Deno.test({
  name: "getPass: a terminal does not show the password",
  ignore: Deno.build.os !== "linux" || lacks("script"),
  async fn() {
    const code = `import { getPass, prompt } from "${TERMINAL}";
      const answers = [await getPass("pass? "), await prompt("name? ")];
      console.log("answers: " + JSON.stringify(answers));`;
    const shown = await onTerminal(code, [["pass? ", "secret\r"], ["name? ", "devrim\n"]]);
    assertStringIncludes(shown, 'answers: ["secret","devrim"]');
    assertEquals(shown.split("secret").length, 2, shown);
    assertEquals(shown.split("devrim").length, 3, shown);
  },
});

/** Runs a program on a terminal of its own, answering what it asks; gives all that was shown. */
async function onTerminal(code: string, answers: [string, string][]): Promise<string> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/main.ts`, code);
    const child = new Deno.Command("script", {
      args: [
        "-qec",
        `${Deno.execPath()} run --no-prompt --quiet ${directory}/main.ts`,
        "/dev/null",
      ],
      stdin: "piped",
      stdout: "piped",
      env: { NO_COLOR: "1" },
      signal: AbortSignal.timeout(20_000),
    }).spawn();
    const writer = child.stdin.getWriter();
    let shown = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      shown += text;
      const [question, answer] = answers[0] ?? [];
      if (question === undefined || answer === undefined || !shown.includes(question)) continue;
      answers.shift();
      await writer.write(new TextEncoder().encode(answer));
    }
    await writer.close();
    await child.status;
    return shown;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test({
  name: "notify: runs the notifier of the desktop",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const directory = await Deno.makeTempDir();
    try {
      const notifier = `${directory}/notify-send`;
      const told = `${directory}/told`;
      await Deno.writeTextFile(notifier, `#!/bin/sh\nfor each; do echo "$each" >> ${told}; done\n`);
      await Deno.chmod(notifier, 0o755);
      const code = `import { notify } from "${TERMINAL}";
        await notify("-sub $(title)", "text; rm", "title").then(() => console.log("shown"), (error) =>
          console.log(String(error)));`;
      const path = { PATH: `${directory}:${Deno.env.get("PATH")}` };
      const shown = await runDeno(["--allow-run"], code, path);
      assertEquals(shown.stdout, "shown\n", shown.stderr);
      assertEquals(await Deno.readTextFile(told), "--\ntitle\n-sub $(title)\ntext; rm\n");

      await Deno.writeTextFile(notifier, "#!/bin/sh\nexit 3\n");
      assertEquals(
        (await runDeno(["--allow-run"], code, path)).stdout,
        "Cannot show a notification: notify-send failed\n",
      );
      await Deno.remove(notifier);
      const missing = await runDeno(["--allow-run"], code, { PATH: directory });
      assertEquals(missing.stdout, "Cannot show a notification: notify-send is not installed\n");
      const refused = await runDeno([], code, path);
      assertEquals(
        refused.stdout,
        "Cannot show a notification: Deno needs --allow-run=notify-send\n",
      );
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
