import { assert, assertEquals, assertThrows } from "@std/assert";
import { UnknownWord } from "../../tools/command_line.ts";
import { partsOf, runsInParallel, selectTests } from "../../tools/test_files.ts";

Deno.test("selectTests: takes files, folders and flags", () => {
  const { files, flags } = selectTests(["tests/tools/", "tests/rpc/args_test.ts", "--filter", "x"]);
  assert(files.includes("tests/tools/test_files_test.ts"));
  assert(files.includes("tests/rpc/args_test.ts"));
  assert(files.every((file) => file.endsWith("_test.ts")));
  assertEquals(flags, ["--filter", "x"]);
});

Deno.test("selectTests: without files and folders, selects all tests", () => {
  const { files, flags } = selectTests(["--fail-fast"]);
  assertEquals(files, selectTests(["tests"]).files);
  assert(files.length > 100 && files.includes("tests/interop/matrix_test.ts"));
  assert(!files.some((file) => file.includes("node_modules")));
  assertEquals(flags, ["--fail-fast"]);
});

Deno.test("selectTests: refuses a path that does not exist, and names the nearest one", () => {
  assertThrows(
    () => selectTests(["tests/rpc/arg_test.ts"]),
    UnknownWord,
    "There is no file or folder tests/rpc/arg_test.ts; did you mean tests/rpc/args_test.ts?",
  );
  assertThrows(() => selectTests(["nowhere"]), UnknownWord, "There is no file or folder nowhere");
  // The value of a flag is no path.
  assertEquals(selectTests(["--filter", "nowhere"]).flags, ["--filter", "nowhere"]);
});

Deno.test("partsOf: names the programs that tests need, and no others", async () => {
  assertEquals(await partsOf(["tests/rpc/args_test.ts"]), []);
  assertEquals(await partsOf(["tests/kontrol/storage/etcd_test.ts"]), ["etcd"]);
  assertEquals(await partsOf(["tests/kontrol/storage/postgres_test.ts"]), ["postgres"]);
  const interop = await partsOf(["tests/interop/matrix_test.ts"]);
  assert(interop.includes("go") && interop.includes("node"), interop.join());
});

Deno.test("runsInParallel: is false for tests that change the process, or are marked as serial", async () => {
  const sources: [source: string, parallel: boolean][] = [
    ["Deno.test('a', () => {});", true],
    ["const value = Deno.env.get('A');", true],
    ["Deno.env." + "set('A', '1');", false],
    ["Deno." + "chdir('/');", false],
    ["Deno.kill(" + "Deno.pid, 'SIGUSR2');", false],
    ["// " + "serial: measures memory", false],
  ];
  const file = await Deno.makeTempFile();
  try {
    for (const [source, parallel] of sources) {
      await Deno.writeTextFile(file, source);
      assertEquals(runsInParallel(file), parallel, source);
    }
  } finally {
    await Deno.remove(file);
  }
});
