import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { env, homeDirectory, hostname } from "../../src/runtime/env.ts";
import {
  createFile,
  makeDirectory,
  readTextFile,
  readTextFileSync,
  writeFileAtomic,
} from "../../src/runtime/files.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { lacks, runDeno, runNode } from "./support.ts";

const ENV = new URL("../../src/runtime/env.ts", import.meta.url).href;
const FILES = new URL("../../src/runtime/files.ts", import.meta.url).href;

Deno.test("env: returns the value of a variable, or undefined", () => {
  Deno.env.set("KITE_TEST_VARIABLE", "here");
  assertEquals(env("KITE_TEST_VARIABLE"), "here");
  Deno.env.delete("KITE_TEST_VARIABLE");
  assertEquals(env("KITE_TEST_VARIABLE"), undefined);
});

Deno.test("homeDirectory and hostname: return those of the machine", () => {
  assertEquals(homeDirectory(), Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE"));
  assertEquals(hostname(), Deno.hostname());
});

Deno.test("env and files: without permissions, return defaults and prompt for nothing", async () => {
  const { code, stdout } = await runDeno(
    [],
    `import { env, homeDirectory, hostname } from "${ENV}";
     import { readTextFile, readTextFileSync, writeFileAtomic } from "${FILES}";
     const failure = await writeFileAtomic("/nowhere/kite.key", "x", 0o400).catch(String);
     console.log(JSON.stringify([
       env("HOME") ?? null, homeDirectory(), hostname(),
       await readTextFile("/etc/hostname") ?? null, readTextFileSync("/etc/hostname") ?? null,
       failure,
     ]));`,
    { KITE_USERNAME: "devrim" },
  );
  assertEquals(code, 0);
  const [variable, home, host, file, fileSync, failure] = JSON.parse(stdout);
  assertEquals([variable, home, host, file, fileSync], [null, "", "unknown", null, null]);
  assertMatch(failure, /^configError: Cannot write \/nowhere\/kite\.key: .*--allow-write/);
});

Deno.test("env and files: work in Node as well", { ignore: lacks("node") }, async () => {
  const directory = await Deno.makeTempDir();
  try {
    const { code, stdout, stderr } = await runNode(
      [ENV, FILES],
      `const [{ env, homeDirectory, hostname }, { readTextFile, writeFileAtomic }] = modules;
       await writeFileAtomic(${JSON.stringify(directory)} + "/a", "text", 0o400);
       console.log(JSON.stringify([
         env("KITE_USERNAME"), homeDirectory(), hostname(),
         await readTextFile(${JSON.stringify(directory)} + "/a"),
       ]));`,
      { KITE_USERNAME: "devrim", HOME: "/home/devrim" },
    );
    assertEquals([code, stderr], [0, ""]);
    assertEquals(JSON.parse(stdout), ["devrim", "/home/devrim", Deno.hostname(), "text"]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("readTextFile: returns undefined for a missing file, and names a file that cannot be read", async () => {
  const directory = await Deno.makeTempDir();
  try {
    for (const path of [`${directory}/none`, `${directory}/none/at/all`]) {
      assertEquals(await readTextFile(path), undefined);
      assertEquals(readTextFileSync(path), undefined);
    }
    await Deno.writeTextFile(`${directory}/file`, "ş");
    assertEquals(await readTextFile(`${directory}/file`), "ş");
    assertEquals(readTextFileSync(`${directory}/file`), "ş");
    assertEquals(readTextFileSync(`${directory}/file/below`), undefined);

    const error = await assertRejects(() => readTextFile(directory), KiteError, directory);
    assertEquals(error.type, "configError");
    assertThrows(() => readTextFileSync(directory), KiteError, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("writeFileAtomic: replaces a file and sets its mode, even a read-only one", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const home = `${directory}/a/b`;
    await makeDirectory(home, 0o700);
    await makeDirectory(home, 0o700);
    const path = `${home}/kite.key`;
    await writeFileAtomic(path, "first", 0o400);
    await writeFileAtomic(path, "second", 0o400);
    assertEquals(await Deno.readTextFile(path), "second");
    if (Deno.build.os !== "windows") {
      assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o400);
      assertEquals(((await Deno.stat(home)).mode ?? 0) & 0o777, 0o700);
    }
    assertEquals([...Deno.readDirSync(home)].map((entry) => entry.name), ["kite.key"]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("createFile: exactly one of many succeeds, and it never replaces a file", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/key.pem`;
    const texts = Array.from({ length: 20 }, (_, index) => `text ${index}\n`.repeat(1_000));
    const created = await Promise.all(texts.map((text) => createFile(path, text, 0o600)));
    assertEquals(created.filter(Boolean).length, 1);
    assertEquals(await Deno.readTextFile(path), texts[created.indexOf(true)]);
    assertEquals([...Deno.readDirSync(directory)].map((entry) => entry.name), ["key.pem"]);
    await assertRejects(
      () => createFile(`${directory}/none/key.pem`, "x", 0o600),
      KiteError,
      `Cannot write ${directory}/none/key.pem: `,
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("writeFileAtomic: a failure names the path and leaves no file behind", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${directory}/taken`);
    await Deno.writeTextFile(`${directory}/taken/in`, "");
    await assertRejects(
      () => writeFileAtomic(`${directory}/taken`, "x", 0o400),
      KiteError,
      `Cannot write ${directory}/taken: `,
    );
    await assertRejects(
      () => writeFileAtomic(`${directory}/none/kite.key`, "x", 0o400),
      KiteError,
      `Cannot write ${directory}/none/kite.key: `,
    );
    await assertRejects(
      () => makeDirectory(`${directory}/taken/in/below`, 0o700),
      KiteError,
      `Cannot create ${directory}/taken/in/below: `,
    );
    assertEquals([...Deno.readDirSync(directory)].map((entry) => entry.name), ["taken"]);
    assert(Deno.statSync(`${directory}/taken`).isDirectory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
